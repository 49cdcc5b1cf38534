"""What the pages say, in Japanese and English: one YAML file per language, the same keys in both."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

Language = Literal["ja", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
_HERE = Path(__file__).parent


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value)
    return found


@lru_cache
def catalogue(language: Language) -> dict[str, str]:
    """Every text of a language by dotted key (``minutes.start``)."""
    return _flat(yaml.safe_load((_HERE / f"{language}.yaml").read_text()))


class Texts:
    """The texts of one language. ``t("jobs.ahead", count=2)`` fills the braces of the text."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """Raises KeyError for a key that no file has: a mistake of ours, found by the tests."""
        return self._texts[key].format(**values) if values else self._texts[key]

    def get(self, key: str, default: str, **values: object) -> str:
        """For keys that come from data (a stage, an error code): the text, or ``default`` when there is none."""
        return self(key, **values) if key in self._texts else default

    def group(self, prefix: str) -> dict[str, str]:
        """All texts below a key, by their last part: what a browser component needs."""
        start = f"{prefix}."
        return {key.removeprefix(start): text for key, text in self._texts.items() if key.startswith(start)}

    def duration(self, seconds: float) -> str:
        """A length of time in words: 45秒, 3分20秒, 1時間5分."""
        whole = max(0, round(seconds))
        if whole < 60:
            return self("time.seconds", s=whole)
        if whole < 3600:
            return self("time.minutes", m=whole // 60, s=whole % 60)
        return self("time.hours", h=whole // 3600, m=whole % 3600 // 60)

    def size(self, count: int) -> str:
        """A number of bytes in words: 12 KB, 3.4 MB."""
        for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20)):
            if count >= factor:
                return f"{count / factor:.1f} {unit}"
        return f"{max(1, count >> 10)} KB" if count else "0 KB"


def clock(seconds: float) -> str:
    """A place in a recording: 03:12, 1:02:03."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60:02}:{rest % 60:02}"
