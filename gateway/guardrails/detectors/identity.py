"""Documents that identify a person: passport, driving licence, health insurance, pension; and customer numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from gateway.guardrails.detectors.checksums import insurer_ok, licence_ok
from gateway.guardrails.detectors.shapes import LEFT, RIGHT, SEP, Label, digits, is_amount, other_label, pattern_of
from gateway.guardrails.literals import Prefilter
from gateway.guardrails.view import Hit, View

_PASSPORT = re.compile(r"(?<![A-Za-z0-9-])[A-Z]{2}[ -]?\n?\d{3}[ ]?\d{4}(?![\dA-Za-z])(?!-[\dA-Za-z])")
_PASSPORT_OTHER = re.compile(r"(?<![A-Za-z0-9-])(?:[A-Z]\d{7,8}|[A-Z]{2}[ -]?\d{6,7}|\d{9})(?![\dA-Za-z])(?!-)", re.IGNORECASE)
_MRZ = re.compile(r"(?<![A-Z0-9])[A-Z0-9]{2}[0-9]{7}[0-9][A-Z]{3}\d{7}[MF<]\d{7}[0-9A-Z<]*")
_PASSPORT_LABEL = Label(r"旅券(?:番号)?|パスポート|passport|旅券No", gap=22)

_TWELVE = re.compile(rf"{LEFT}{pattern_of(12)}(?!\d)(?![-.,/]\d)(?!-?[A-Za-z])")
_LICENCE_LABEL = Label(
    r"免許証?(?:の?番号|No\.?|の?ナンバー)?|運転免許|driver'?s?['’]?\s?licen[cs]e|driving\s?licen[cs]e|licen[cs]e\s(?:number|no)",
    gap=18,
)
_LICENCE_CUE = Label(r"免許|公安委員会|driver|driving")
_LICENCE_PREFIX = re.compile(r"1[0-4]|2[0-5]|30|4\d|5[0-5]|6[0-5]|7[0-4]|8[0-3]|9[0-7]")
_FOREIGN_LICENCE = re.compile(
    r"(?:driver'?s?['’]?|driving)\s?licen[cs]e(?:\s?(?:number|no\.?|#|id))?[\s:#]{1,3}(?:is\s)?(?P<value>(?=[A-Z0-9-]*\d)[A-Z0-9-]{6,18})(?![A-Za-z0-9])",
    re.IGNORECASE,
)

_LICENCE_WORDS = Prefilter([_FOREIGN_LICENCE.pattern], re.IGNORECASE)

_PENSION = re.compile(rf"{LEFT}\d{{4}}{SEP}\d{{6}}{RIGHT}")
_PENSION_LABEL = Label(r"基礎年金番号|年金番号|年金手帳(?:の?(?:記号)?番号)?|年金証書|pension\s(?:number|no|id)|pension_number", gap=14)
_PENSION_CUE = Label(r"年金|pension")

_VALUE = r"[A-Za-z0-9][A-Za-z0-9_.-]*"


def passport(view: View) -> Iterator[Hit]:
    """Two letters and seven digits with a cue (part numbers look the same); the machine-readable line without one."""
    if not view.has_long_number:
        return
    for pattern, rule, confidence in ((_PASSPORT, "passport.label", 0.95), (_PASSPORT_OTHER, "passport.foreign", 0.85)):
        for match in view.numbers(pattern, 4):
            near = pattern is _PASSPORT and _PASSPORT_LABEL.near(view, *match.span(), 20)
            if _PASSPORT_LABEL.announces(view, *match.span()) or (near and not other_label(view, match.start())):
                yield Hit(*match.span(), "PASSPORT", rule, confidence)
    for match in _MRZ.finditer(view.text):
        yield Hit(*match.span(), "PASSPORT", "passport.mrz", 0.97)


def driver_license(view: View) -> Iterator[Hit]:
    """12 digits after a label; or a good check digit, a 公安委員会 prefix and a cue nearby."""
    if not view.has_long_number:
        return
    for match in view.numbers(_TWELVE):
        start, end = match.span()
        number = digits(match[0])
        good = licence_ok(number) and _LICENCE_PREFIX.match(number) is not None
        if _LICENCE_LABEL.announces(view, start, end):
            yield Hit(start, end, "DRIVER_LICENSE", "driver_license.label", 0.96 if good else 0.92)
        elif _LICENCE_CUE.near(view, start, end) and (good or _numbered(view, start, end)):
            if not other_label(view, start):
                yield Hit(start, end, "DRIVER_LICENSE", "driver_license.cue", 0.8)
    for match in _FOREIGN_LICENCE.finditer(view.text) if _LICENCE_WORDS.possible(view.text) else ():
        yield Hit(*match.span("value"), "DRIVER_LICENSE", "driver_license.foreign", 0.85)


def _numbered(view: View, start: int, end: int) -> bool:
    """第…号, as on the licence itself."""
    return view.text[max(0, start - 1) : start] == "第" and view.text[end : end + 1] == "号"


def pension_number(view: View) -> Iterator[Hit]:
    """4 and 6 digits with a label, or with 年金 nearby and no other label."""
    if not view.has_long_number:
        return
    for match in view.numbers(_PENSION):
        start, end = match.span()
        if _PENSION_LABEL.announces(view, start, end):
            yield Hit(start, end, "PENSION_NUMBER", "pension_number.label", 0.95)
        elif re.search(r"[- ]", match[0]) and _PENSION_CUE.near(view, start, end) and not other_label(view, start):
            yield Hit(start, end, "PENSION_NUMBER", "pension_number.cue", 0.75)


_INSURER = re.compile(rf"{LEFT}(?:{pattern_of(8)}|{pattern_of(6)}){RIGHT}")
_INSURER_LABEL = Label(r"保険者(?:の?番号|No\.?|コード)?|insurer\s?(?:number|no|id|code)", gap=8)
_INSURED_LABEL = Label(
    r"被保険者(?:証)?(?:の?番号|No\.?)|介護保険(?:被保険者)?番号|保険証(?:の?番号|No\.?)|健康保険(?:証)?(?:の?番号|No\.?)|"
    r"受給者(?:証)?番号|負担者番号|health\sinsurance\s(?:number|no|id|card(?:\s(?:number|no))?)|insured(?:\sperson)?\s(?:number|no)|"
    r"insurance\s(?:member\s)?(?:id|number|no)|member\sid|保険証",
    gap=8,
)
_INSURED = re.compile(rf"(?<![A-Za-z0-9])(?:[A-Z]{{1,3}}-?)?\d(?:{SEP}\d){{3,11}}{RIGHT}")
_SYMBOL = re.compile(
    r"(?:(?:証|者|保険|険証)の?)?(?:記号|symbol)(?P<joint>\s?[・/と&,]?\s?(?:番号|number))?(?P<gap1>[\s:はが「=]{0,4})"
    r"(?P<symbol>(?:[一-龠]{1,4}-?)?\d[\d-]{0,12})"
    r"(?P<middle>[\s,、・」/-]{0,4}(?:(?:番号|number|No\.?)(?:[\s:はが「=]|で){0,4})?)(?P<number>\d[\d-]{0,12})?",
    re.IGNORECASE,
)
_NUMBER_FIRST = re.compile(
    r"番号(?:[\s:はが「=]|で){0,3}(?P<number>\d[\d-]{0,12})(?:[\s,、」でと]|が|は){0,4}記号(?:[\s:はが「=]){0,3}(?P<symbol>(?:[一-龠]{1,4}-?)?\d[\d-]{0,12})"
)
_HEALTH_CUE = Label(r"保険|健保|国保|被保険者|けんぽ|共済|組合|insurance|insur|受診|診療|医療")
_BANK_CUE = Label(r"ゆうちょ|貯金|郵便局|振込|振替|口座|通帳|銀行")
_BRANCH = re.compile(r"枝番")


def health_insurance(view: View) -> Iterator[Hit]:
    """保険者番号, 記号・番号, 被保険者番号; the same words mean a post-office account near 貯金 or 口座."""
    if not view.has_digits:
        return
    for match in view.numbers(_INSURER):
        if _INSURER_LABEL.announces(view, *match.span()):
            good = insurer_ok(digits(match[0]))
            yield Hit(*match.span(), "HEALTH_INSURANCE", "health_insurance.insurer", 0.95 if good else 0.88)
    for match in view.numbers(_INSURED, 4):
        if _INSURED_LABEL.announces(view, *match.span()) and not is_amount(view, *match.span()):
            yield Hit(*match.span(), "HEALTH_INSURANCE", "health_insurance.insured", 0.85)
    yield from _symbols(view)


def _symbols(view: View) -> Iterator[Hit]:
    if "記号" not in view.text and "symbol" not in view.text.lower():
        return
    for pattern in (_SYMBOL, _NUMBER_FIRST):
        for match in pattern.finditer(view.text):
            start, end = match.span()
            health = _HEALTH_CUE.near(view, start, end, 60)
            if health and not _closer(view, start, end):
                for group in ("symbol", "number"):
                    if match[group]:
                        yield Hit(*match.span(group), "HEALTH_INSURANCE", "health_insurance.symbol", 0.88)


def _closer(view: View, start: int, end: int) -> bool:
    """Words of banking stand nearer than words of insurance."""
    near = _HEALTH_CUE.near(view, start, end, 16)
    return _BANK_CUE.near(view, start, end, 24) and not near


@lru_cache(maxsize=64)
def _customer_pattern(labels: tuple[str, ...]) -> tuple[re.Pattern[str], Prefilter]:
    extra = "".join(f"|{re.escape(label)}" for label in labels)
    pattern = re.compile(
        r"(?:(?:顧客|お客様|お客さま|会員|契約者|ご?利用者|ユーザー|加入者|得意先|取引先|カスタマー|メンバー|メンバーズ|受給者|組合員|クライアント)"
        r"(?:ご)?(?:番号|ナンバー|No\.?|№|ID|コード|CD)|CIF(?:\s?(?:番号|No\.?|number))?|お客様(?=[:：]?\s?[A-Z]{0,3}-?\d{5,})|"
        rf"(?:customer|client|member(?:ship)?|patron|subscriber)[\s_]?(?:id|no\.?|number|#|code){extra})"
        r"(?:\s?\(\d{1,2}\s?(?:桁|文字|digits?)[^)]{0,6}\))?(?:[\s:はが「『【〔\[\"'=#(|<]|です?が|is\s){0,5}(?P<value>(?=[A-Za-z0-9_.-]*\d)" + _VALUE + r"(?:[ -]\d{2,6})*)",
        re.IGNORECASE,
    )
    return pattern, Prefilter([pattern.pattern], re.IGNORECASE)


_CUSTOMER_HEADING = re.compile(
    r"\A(?:顧客|お客様|会員|契約者|利用者|取引先|得意先)(?:番号|ID|No\.?|コード)\Z|\ACIF|\A(?:customer|client|member)[\s_]?(?:id|no|number|code)\Z",
    re.IGNORECASE,
)
_CELL_VALUE = re.compile(r"[A-Za-z0-9_-]{4,20}")


def customer_id(view: View) -> Iterator[Hit]:
    """A value of at least four characters with three digits after a customer label (the list is configurable)."""
    if not view.has_digits:
        return
    pattern, words = _customer_pattern(view.customer_labels)
    for match in pattern.finditer(view.text) if words.possible(view.text) else ():
        start, end = match.span("value")
        end = start + len(match["value"].rstrip(".-_ "))
        if len(digits(match["value"])) >= 3 and end - start >= 4 and not is_amount(view, start, end):
            yield Hit(start, end, "CUSTOMER_ID", "customer_id.label", 0.93)
    for match in _CELL_VALUE.finditer(view.text) if view.has_cells else ():
        if _CUSTOMER_HEADING.match(view.heading(match.start())) and len(digits(match[0])) >= 3:
            yield Hit(*match.span(), "CUSTOMER_ID", "customer_id.column", 0.9)
