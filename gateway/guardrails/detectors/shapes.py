"""Pieces of patterns that the number detectors share: separators, borders, labels of other people's numbers."""

from __future__ import annotations

import re

from gateway.guardrails.view import View

# One separator inside a number: hyphen with or without blanks, blank, dot, middle dot, line break.
SEP = r"(?:[ \t]?-[ \t]?\n?|[ .・]|\n)?"
# Borders of a number: not in the middle of a longer one, of a decimal or of a product code.
LEFT = r"(?<![\dA-Za-z])(?<!\d[-./])"
RIGHT = r"(?!\d)(?![-./]\d)(?!-?[A-Za-z])"

_FOREIGN = re.compile(
    r"(?:(?<=[一-龠ァ-ヴーA-Za-z])(?:番号|ナンバー)|№|コード|品番|型番|型式|伝票|ロット|シリアル|図番|部品|台帳|整理券|議案|"
    r"(?:\b|(?<=[^A-Za-z]))(?:No|Nr|ID|JAN|ISBN|EAN|SKU|PO|P/N|S/N|ref|case|ticket|invoice|order|part|serial|lot|batch|"
    r"tracking|model|item|code|number|version|ver|build|sect?ion|page|form|rev|slip|quote|booking|confirmation|"
    r"transaction|reference|shipment|parcel|document|doc|issue|job|asset|claim|doi|isbn)s?)"
    r"(?:[ ]?(?:no|number|id|code|#))?[.．]?[\s:はが#「『\"'(=\[は]{0,4}\Z",
    re.IGNORECASE,
)
_MONEY = re.compile(r"\s*(?:円|千円|万|億|ドル|ユーロ|USD|JPY|EUR|%|％|個|件|本|枚|台|名|人|株|口(?!座)|口座(?!番号|名義|に|へ|を|から|の)|トン|kg|km|cm|mm|ポイント|pt)")
_PRICE = re.compile(r"(?:[¥$€£]|JPY|USD|EUR|金額|合計|残高|価格|単価|税込|税抜)[\s:は]{0,3}\Z")


def digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit() and char.isascii())


def pattern_of(count: int) -> str:
    """``count`` digits with any grouping."""
    return rf"\d(?:{SEP}\d){{{count - 1}}}"


def other_label(view: View, start: int) -> bool:
    """The words right before announce some other number: 注文番号, 伝票No., invoice …"""
    return _FOREIGN.search(view.left(start, 28)) is not None


def is_amount(view: View, start: int, end: int) -> bool:
    """A sum or a quantity, not an identifier."""
    return bool(_MONEY.match(view.right(end)) or _PRICE.search(view.left(start, 12)))


class Label:
    """Words that announce a number: ``before`` it with a short gap of no digits, or ``after`` it in brackets."""

    def __init__(self, words: str, *, gap: int = 12) -> None:
        inner = rf"(?:\s?[(\[](?:半角)?\d{{1,2}}\s?(?:桁|文字|digits?)[^)\]]{{0,8}}[)\]])?(?:(?![。;；])[^\d]){{0,{gap}}}"
        self._before = re.compile(rf"(?:{words}){inner}\Z", re.IGNORECASE)
        self._after = re.compile(rf"\s*[(\[]\s*(?:{words})|\s*(?:が|は|を)[^。、\d\n]{{0,8}}(?:{words})", re.IGNORECASE)
        self._anywhere = re.compile(words, re.IGNORECASE)
        self.width = gap + 24

    def before(self, view: View, start: int) -> bool:
        return self._before.search(view.left(start, self.width)) is not None

    def after(self, view: View, end: int) -> bool:
        return self._after.match(view.right(end, 24)) is not None

    def announces(self, view: View, start: int, end: int) -> bool:
        return self.before(view, start) or self.after(view, end)

    def within(self, text: str) -> bool:
        return self._anywhere.search(text) is not None

    def near(self, view: View, start: int, end: int, width: int = 48) -> bool:
        return self._anywhere.search(view.around(start, end, width)) is not None
