"""Which field of the brief a key or a heading means: by its name, else by the concept it speaks of."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from pathlib import Path

import yaml

from apps.common.japanese.normalise import fold

LISTS = ("needs", "products", "schedule", "cost", "risks", "comparison", "effects")
SCALARS = ("client", "title", "industry", "tone", "audience", "author", "company", "date", "language")
SLIDES = (3, 40)  # the fewest and the most slides of a deck
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


@lru_cache
def _concepts() -> tuple[tuple[str, re.Pattern[str]], ...]:
    catalogue = yaml.safe_load((Path(__file__).parent / "concepts.yaml").read_text("utf-8"))
    return tuple((field, re.compile("|".join(words), re.IGNORECASE)) for field, words in catalogue.items())


MAX_HEADING = 24  # characters of a Japanese heading; English words count as two
_OF = re.compile(r"\s(?:of|for|about|in)\s.*$", re.IGNORECASE)


def concept_of(heading: str) -> str | None:
    """The field that a heading means in its own words (先方の困りごと → needs, what to sell → products), or None.

    Exact names come first; then the concept named last wins, as the head of a Japanese or English phrase is its end.
    """
    text = bare(heading).replace("_", " ").strip()
    exact = field_of(heading)
    if exact or not text or len(text) > MAX_HEADING * (2 if text.isascii() else 1) or re.search("[。、]", text):
        return exact
    text = _OF.sub("", text)
    found = [(m.end(), m.end() - m.start(), field) for field, p in _concepts() for m in p.finditer(text)]
    return max(found)[2] if found else None


_INTERNAL = re.compile(
    r"社内|行内|庫内|部内|内部(?!統制|監査)|協力者|人柄|性格|攻め|作戦|内緒|ここだけ|(?:言わ|載せ|書か|出さ|見せ)ない|極秘|部外秘|オフレコ"
    r"|\binternal\b(?! (?:control|audit))|not for|don'?t (?:mention|say|show)|off the record|between us|confidential",
    re.IGNORECASE,
)


def is_internal(heading: str) -> bool:
    """Whether a heading says that what stands below it is for the seller's eyes only."""
    return _INTERNAL.search(heading) is not None


def closest(heading: str) -> str | None:
    """The alias that an unknown key was probably meant to be (``clinet`` → ``client``)."""
    matches = difflib.get_close_matches(bare(heading).lower(), [a for a in aliases() if len(a) > 2], n=1, cutoff=0.75)
    return matches[0] if matches else None
