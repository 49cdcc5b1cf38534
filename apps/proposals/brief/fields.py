"""Which field of the brief a key or a heading means."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from pathlib import Path

import yaml

from apps.common.japanese.normalise import fold

LISTS = ("needs", "products", "schedule", "cost", "risks", "comparison", "effects")
SCALARS = ("client", "title", "industry", "tone", "audience", "author", "company", "date", "language")
_NUMBERING = re.compile(
    r"^[\s#>*■◆●▼▲□◇○◎★☆・\-–]*(?:第?[0-9０-９一二三四五六七八九十]{1,2}[.．、)）章節]\s*|[(（][0-9０-９]{1,2}[)）]\s*|[①-⑳]\s*)?"
)
_AFFIX = re.compile(
    r"^(?:主な|想定される|お客様の|お客さまの|顧客の|貴社の|御社の|先方の|the|our|client|key|main)\s*|(?:について|一覧|案|例|情報|等|など|の概要|list)$",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"[(（\[][^)）\]]*[)）\]]\s*$")


@lru_cache
def aliases() -> dict[str, str]:
    """Folded alias → field."""
    catalogue = yaml.safe_load((Path(__file__).parent / "fields.yaml").read_text("utf-8"))
    return {fold(alias): field for field, names in catalogue.items() for alias in names}


def bare(heading: str) -> str:
    """A heading without numbering, marks and brackets around it: ``■ １．課題（要約）`` → ``課題``."""
    text = _NUMBERING.sub("", heading.strip())
    return _BRACKETS.sub("", text).strip(" 　:：【】[]〈〉<>《》「」『』*_=-#").strip()


def field_of(heading: str) -> str | None:
    """The field a heading or key names, or None."""
    known = aliases()
    text = bare(heading).replace("_", " ")
    found = known.get(fold(text))
    if found:
        return found
    trimmed = _AFFIX.sub("", text)
    return known.get(fold(trimmed)) if trimmed else None


def closest(heading: str) -> str | None:
    """The alias that an unknown key was probably meant to be (``clinet`` → ``client``)."""
    matches = difflib.get_close_matches(bare(heading).lower(), [a for a in aliases() if len(a) > 2], n=1, cutoff=0.75)
    return matches[0] if matches else None
