"""The same lines, written differently: full width, hyphens of every kind, kanji numerals, invisible characters, line breaks.

Each change keeps the meaning, so every span must still be found. Spans move with their text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

NUMBERS = frozenset(
    "PHONE POSTAL_CODE MY_NUMBER CORPORATE_NUMBER BANK_ACCOUNT CREDIT_CARD DRIVER_LICENSE HEALTH_INSURANCE PENSION_NUMBER PASSPORT".split()
)
_WIDE = {ord(chr(code)): chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {0x20: "\u3000"}
_KANJI = str.maketrans("0123456789", "〇一二三四五六七八九")


def _full_width(value: str, type_: str) -> str:
    return value.translate(_WIDE)


def _hyphens(sign: str) -> Callable[[str, str], str]:
    return lambda value, type_: value.replace("-", sign) if type_ in NUMBERS | {"ADDRESS"} else value


def _kanji(value: str, type_: str) -> str:
    plain = type_ in ("PHONE", "MY_NUMBER", "CREDIT_CARD", "POSTAL_CODE", "PENSION_NUMBER")
    return value.translate(_KANJI).replace("-", "ー") if plain and value.isascii() and "+" not in value else value


def _zero_width(value: str, type_: str) -> str:
    middle = len(value) // 2
    return value[:middle] + "\u200b" + value[middle:] if type_ != "SECRET" and middle else value


def _soft_hyphen(value: str, type_: str) -> str:
    return value[:1] + "\u00ad" + value[1:] if type_ != "SECRET" and len(value) > 1 else value


def _line_break(value: str, type_: str) -> str:
    if type_ not in NUMBERS or "\n" in value:
        return value
    for sign in "- ":
        if sign in value:
            return value.replace(sign, sign + "\n", 1) if sign == "-" else value.replace(sign, "\n", 1)
    return value


def _spaces(value: str, type_: str) -> str:
    return value.replace("-", " ") if type_ in ("PHONE", "MY_NUMBER", "CREDIT_CARD", "PENSION_NUMBER") else value


def _half_kana(value: str, type_: str) -> str:
    return value if type_ != "PERSON" else "".join(_HALF.get(char, char) for char in value)


_HALF = {
    unicodedata.normalize("NFKC", chr(code)): chr(code)
    for code in range(0xFF66, 0xFF9E)
    if unicodedata.normalize("NFKC", chr(code)) != chr(code)
} | {
    unicodedata.normalize("NFKC", chr(code) + mark): chr(code) + mark
    for code in range(0xFF76, 0xFF8F)
    for mark in "ﾞﾟ"
    if len(unicodedata.normalize("NFKC", chr(code) + mark)) == 1
}

CHANGES: dict[str, Callable[[str, str], str]] = {
    "full width": _full_width, "hyphen ‐": _hyphens("‐"), "hyphen ―": _hyphens("―"), "hyphen ー": _hyphens("ー"),
    "hyphen －": _hyphens("－"), "hyphen −": _hyphens("−"), "kanji numerals": _kanji, "zero width": _zero_width,
    "soft hyphen": _soft_hyphen, "line break": _line_break, "spaces": _spaces, "half-width kana": _half_kana,
}  # fmt: skip


def perturbed(rows: Iterable[dict[str, Any]], change: Callable[[str, str], str]) -> Iterator[dict[str, Any]]:
    """The rows that the change touches, with their spans moved."""
    for row in rows:
        text, position, spans = "", 0, []
        for span in sorted(row["spans"], key=lambda s: s["start"]):
            value = change(row["text"][span["start"] : span["end"]], span["type"])
            text += row["text"][position : span["start"]]
            spans.append({"start": len(text), "end": len(text) + len(value), "type": span["type"]})
            text += value
            position = span["end"]
        text += row["text"][position:]
        if text != row["text"]:
            yield {**row, "text": text, "spans": spans}
