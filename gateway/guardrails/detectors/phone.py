"""Telephone and fax numbers: every Japanese form (電気通信番号計画), +81, international, North American."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.detectors.shapes import Label, digits, is_amount, other_label
from gateway.guardrails.view import Hit, View

_S = r"(?:[ \t]?-[ \t]?\n?|[ .・の]|\n|[ ]?[()][ ]?-?)"
_BORDER_L = r"(?<!\d)(?<!\d[-.,/])(?<![A-Za-z]-)"
_BORDER_R = r"(?!\d)(?!-\d)(?!\.\d)(?!-?[A-Z](?![A-Za-z]*(?:AX|EL)))"
_MOBILE = re.compile(rf"{_BORDER_L}\(?0[5-9]0\)?{_S}?\d{{4}}{_S}?\d{{4}}{_BORDER_R}")
_FREE = re.compile(
    rf"{_BORDER_L}\(?(?:0120|0570|0990|0180){_S}?\d{{2,3}}{_S}?\d{{3,4}}{_BORDER_R}|{_BORDER_L}0800{_S}?\d{{3}}{_S}?\d{{4}}{_BORDER_R}"
)
_FIXED = re.compile(rf"{_BORDER_L}\(?0[1-9]\d{{0,3}}{_S}\d{{1,4}}{_S}\d{{4}}{_BORDER_R}")
_SPOKEN = re.compile(rf"{_BORDER_L}0\d{{1,4}}の\d{{2,4}}の\d{{4}}{_BORDER_R}")
_JAPAN = re.compile(
    rf"(?<!\d)(?:\+ ?|00|010-?)81{_S}?(?:\(0\))?{_S}?0?[1-9]\d{{0,3}}{_S}?\d{{1,4}}{_S}?\d{{3,4}}{_BORDER_R}"
)
_WORLD = re.compile(rf"(?<![\d+])\+ ?(?!81)[1-9]\d{{0,2}}(?:{_S}?\(?\d{{1,5}}\)?){{2,5}}{_BORDER_R}")
_AMERICA = re.compile(rf"{_BORDER_L}(?:1[-. ])?(?:\([2-9]\d{{2}}\)\s?|[2-9]\d{{2}}[-. \n]\n?)[2-9]\d{{2}}[-. \n]\n?\d{{4}}{_BORDER_R}")
_BRITAIN = re.compile(rf"{_BORDER_L}(?:\(?0\d{{2,4}}\)?[ \n-]\n?\d{{3,4}}[ \n-]\n?\d{{3,4}}|07\d{{3}}[ \n-]\n?\d{{6}}){_BORDER_R}")
_LOCAL = re.compile(rf"{_BORDER_L}\d{{2,4}}-\d{{4}}{_BORDER_R}")
_BARE_11 = re.compile(rf"{_BORDER_L}\d{{10,11}}{_BORDER_R}")

_LABEL = Label(
    r"電話番?号?|でんわ|デンワ|☎|📞|携帯|ケータイ|けいたい|スマホ|連絡先|(?<![A-Za-z])tel(?![a-z])|telephone|phone|mobile|cell|fax|"
    r"ファックス|ファクス|FAX|フリーダイヤル|ダイヤル|直通|代表|内線|お?問い?合わせ先?|コールセンター|call|ring|text me|"
    r"contact|called|緊急|折り?返し|呼び出し|自宅|勤務先|ショートメール|SMS|whatsapp|番号通知",
    gap=14,
)
_LOCAL_LABEL = Label(r"電話番?号?|(?<![A-Za-z])tel|fax|phone|直通|ファックス", gap=4)
_CODE_LABEL = re.compile(
    r"(?:注文|受注|発注|伝票|請求|見積|納品|稟議|管理|追跡|送り状|受付|整理|予約|申込|申請|台帳|工事|図面|部品|商品|製品|"
    r"シリアル|ロット|文書|資料|契約|証券|決裁|承認|取引|照会|案件|機番|社員|会員|顧客|お客様|口座)(?:番号|コード|No\.?|ID|№)?"
    r"[\s:はが「\"'(]{0,4}\Z"
)


def detect(view: View) -> Iterator[Hit]:
    if not view.has_long_number:
        return
    yield from _japanese(view)
    yield from _foreign(view)
    for match in view.numbers(_LOCAL):
        if _LOCAL_LABEL.before(view, match.start()):
            yield Hit(*match.span(), "PHONE", "phone.local", 0.75)


def _japanese(view: View) -> Iterator[Hit]:
    for match in view.numbers(_MOBILE, 1):
        yield from _judge(view, match, "phone.mobile", 0.85)
    for match in view.numbers(_FREE, 1):
        if len(digits(match[0])) in (10, 11):
            yield from _judge(view, match, "phone.service", 0.85)
    for match in view.numbers(_FIXED, 1):
        if len(digits(match[0])) == 10 and "の" not in match[0]:
            yield from _judge(view, match, "phone.fixed", 0.8)
    for match in view.numbers(_SPOKEN):
        if len(digits(match[0])) in (10, 11):
            yield Hit(*match.span(), "PHONE", "phone.spoken", 0.8)
    for match in view.numbers(_BARE_11):
        if match[0].startswith("0") and _LABEL.announces(view, *match.span()):
            yield from _judge(view, match, "phone.label", 0.8)
    for match in view.numbers(_JAPAN, 2):
        if 9 <= len(digits(match[0])) - 2 <= 12:
            yield from _judge(view, match, "phone.japan", 0.95)


def _foreign(view: View) -> Iterator[Hit]:
    for match in view.numbers(_WORLD, 2) if "+" in view.text else ():
        if 8 <= len(digits(match[0])) <= 15:
            yield from _judge(view, match, "phone.international", 0.9)
    for match in view.numbers(_AMERICA, 1):
        yield from _judge(view, match, "phone.america", 0.8)
    for match in view.numbers(_BRITAIN, 1):
        if len(digits(match[0])) in (10, 11) and _LABEL.announces(view, *match.span()):
            yield from _judge(view, match, "phone.britain", 0.75)


def _judge(view: View, match: re.Match[str], rule: str, confidence: float) -> Iterator[Hit]:
    """Without a label of its own, a number announced as something else is no telephone number."""
    start, end = match.span()
    if match[0].startswith("(") and ")" not in match[0]:
        start += 1
    if match[0].endswith(("(", " ")):
        end = start + len(match[0].rstrip("( "))
    if _LABEL.announces(view, start, end) and not _CODE_LABEL.search(view.left(start)):
        yield Hit(start, end, "PHONE", rule, min(0.98, confidence + 0.1))
    elif not (other_label(view, start) or _CODE_LABEL.search(view.left(start)) or is_amount(view, start, end)):
        if start == 0 or not view.text[start - 1].isascii() or not view.text[start - 1].isalpha():
            yield Hit(start, end, "PHONE", rule, confidence)
