"""個人番号 (My Number), 法人番号, and the national numbers that English texts carry (SSN)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.detectors.checksums import corporate_number_ok, my_number_ok
from gateway.guardrails.detectors.shapes import LEFT, RIGHT, Label, digits, is_amount, other_label, pattern_of
from gateway.guardrails.view import Hit, View

_TWELVE = re.compile(rf"{LEFT}{pattern_of(12)}{RIGHT}")
_THIRTEEN = re.compile(rf"{LEFT}(?:(T)[ ー-]?\n?)?{pattern_of(13)}{RIGHT}", re.IGNORECASE)
_SSN = re.compile(rf"{LEFT}\d{{3}}[- ]\n?\d{{2}}[- ]\n?\d{{4}}{RIGHT}")

_MY_NUMBER = Label(
    r"マイナンバー|マイナ番号|個人番号|個人No|通知カード|my\s?number|mynumber|my_number|individual\s(?:identification\s)?number|"
    r"kojin.?bango",
    gap=16,
)
_MY_NUMBER_CUE = Label(r"マイナ|個人番号|扶養|源泉徴収|年末調整|番号法|12桁|通知カード|my\s?number|特定個人情報|番号確認")
_CORPORATE = Label(
    r"法人番号|法人No|会社法人等番号|登録番号|インボイス番号|事業者番号|適格請求書|T番号|corporate\s(?:number|no|id)|"
    r"invoice\s(?:registration|T-?number)|registration\s(?:number|no)|corporate_number|T-number",
    gap=14,
)
_CORPORATE_LABEL = Label(r"法人番号|法人No|会社法人等番号|corporate\s(?:number|no|id)|corporate_number", gap=14)
_CORPORATE_CUE = Label(r"株式会社|有限会社|合同会社|法人|国税庁|取引先|適格請求書|インボイス|登記")
_SSN_LABEL = Label(r"SSN|social\ssecurity|ソーシャルセキュリティ|社会保障番号")


def my_number(view: View) -> Iterator[Hit]:
    """12 digits after a label, whatever their check digit; without one, a good check digit and a cue nearby."""
    if not view.has_long_number:
        return
    for match in view.numbers(_TWELVE):
        start, end = match.span()
        good = my_number_ok(digits(match[0]))
        if _MY_NUMBER.announces(view, start, end):
            yield Hit(start, end, "MY_NUMBER", "my_number.label", 0.99 if good else 0.93)
        elif good and not other_label(view, start) and _MY_NUMBER_CUE.near(view, start, end):
            yield Hit(start, end, "MY_NUMBER", "my_number.cue", 0.75)
    for match in view.numbers(_SSN):
        if _SSN_LABEL.announces(view, *match.span()):
            yield Hit(*match.span(), "MY_NUMBER", "national_id.ssn", 0.9)


def corporate_number(view: View) -> Iterator[Hit]:
    """13 digits, also as invoice number (T and 13 digits), and 会社法人等番号 (12 digits) after its label."""
    if not view.has_long_number:
        return
    for match in view.numbers(_THIRTEEN, 3):
        start, end = match.span()
        good = corporate_number_ok(digits(match[0]))
        if match[1] and (good or _CORPORATE.announces(view, start, end)):
            yield Hit(start, end, "CORPORATE_NUMBER", "corporate_number.invoice", 0.97 if good else 0.85)
        elif _CORPORATE.announces(view, start, end):
            yield Hit(start, end, "CORPORATE_NUMBER", "corporate_number.label", 0.97 if good else 0.88)
        elif good and not _excluded(view, start, end) and _CORPORATE_CUE.near(view, start, end):
            yield Hit(start, end, "CORPORATE_NUMBER", "corporate_number.cue", 0.65)
    for match in view.numbers(_TWELVE):
        if _CORPORATE_LABEL.before(view, match.start()):
            yield Hit(*match.span(), "CORPORATE_NUMBER", "corporate_number.registry", 0.9)


def _excluded(view: View, start: int, end: int) -> bool:
    return other_label(view, start) or is_amount(view, start, end)
