"""The two languages of the proposals app: choosing a sentence, telling the language of a text."""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["ja", "en"]
_KANA_KANJI = re.compile(r"[぀-ヿ一-鿿]")
_LATIN = re.compile(r"[A-Za-z]")


def pick(language: str, ja: str, en: str) -> str:
    """The sentence in the wanted language; Japanese is the default."""
    return en if language == "en" else ja


def language_of(text: str) -> Language:
    """Japanese as soon as a tenth of the letters are kana or kanji (product names are often Latin)."""
    japanese, latin = len(_KANA_KANJI.findall(text)), len(_LATIN.findall(text))
    return "en" if latin > 9 * japanese else "ja"
