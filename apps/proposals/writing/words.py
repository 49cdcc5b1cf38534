"""The fixed words of the slides in both languages, and joining of names."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml


@lru_cache
def _catalogue() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text("utf-8"))
    return loaded


class Words:
    """Words of one language: ``words("now")``, ``words("cost_title", head=…, amount=…)``."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        return _catalogue()[key][self.language].format(**values)

    def section(self, kind: str) -> str:
        return self(f"section_{kind}") if f"section_{kind}" in _catalogue() else self("section_text")

    def join(self, names: list[str], limit: int = 3) -> str:
        """A、BとC / A, B and C; more than ``limit`` are counted."""
        if self.language == "ja":
            shown = names[:limit]
            text = "と".join(["、".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
            return text + ("など" if len(names) > limit else "")
        if len(names) > limit:
            return ", ".join(names[:limit]) + " and others"
        return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)

    def list(self, names: list[str]) -> str:
        return ("、" if self.language == "ja" else ", ").join(names)

    def quote(self, text: str) -> str:
        return f"「{text}」" if self.language == "ja" else f"“{text}”"
