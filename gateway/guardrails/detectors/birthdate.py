"""Dates of birth: western and Japanese era, digits or kanji, but only with a birth cue."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.view import Hit, View

_D = r"[\d〇零一二三四五六七八九十元]"
_B = r"[ \n]?"
_ERA = r"(?:明治|大正|昭和|平成|令和|(?<![一-龠])[明大昭平令](?=[ .]?\d)|(?<![A-Za-z])[MTSHR](?=[ .]?\d))"
_JAPANESE = re.compile(
    rf"(?:(?:西暦)?(?:(?:19|20)\d{{2}}|[一二][〇零一二三四五六七八九千百十]{{3,6}}){_B}年|{_ERA}{_B}{_D}{{1,3}}{_B}年)"
    rf"(?:{_B}\([^()]{{2,8}}年?\))?{_B}(?:{_D}{{1,3}}{_B}月{_B}(?:{_D}{{1,3}}{_B}日)?)"
)
_ERA_SHORT = re.compile(rf"{_ERA}[ .]?{_D}{{1,2}}[-./年 ・]{_D}{{1,2}}[-./月 ・]{_D}{{1,2}}(?!\d)日?")
_YMD = re.compile(r"(?<![\d/.-])(?:(?:18|19|20)\d{2})\s?([-/.・])\s?\d{1,2}\s?\1\s?\d{1,2}(?![\d])(?![-/.]\d)")
_DMY = re.compile(r"(?<![\d/.-])\d{1,2}([-/.])\d{1,2}\1(?:(?:18|19|20)\d{2}|\d{2})(?![\d/-])")
_COMPACT = re.compile(r"(?<!\d)(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)")
_MONTH = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
_ENGLISH = re.compile(
    rf"(?<![A-Za-z\d])(?:\d{{1,2}}(?:st|nd|rd|th)?(?:[ -]|\sof\s){_MONTH}\.?[ ,-]{{1,2}}\d{{4}}|{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})(?!\d)",
    re.IGNORECASE,
)
_MONTH_DAY = re.compile(rf"(?<![\d年])(?:\d{{1,2}}月\d{{1,2}}日|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?)(?!,? ?\d)")

_CUE_LEFT = re.compile(
    r"(?:生年月日|生\s?年\s?月\s?日|誕生日?|生まれ(?:た日|年月日)?|出生(?:日|年月日)?|バースデー|(?<![A-Za-z])D\.?O\.?B\.?(?![A-Za-z])|"
    r"date\s?of\s?birth|date_of_birth|birth[\s_-]?(?:date|day)|birthdate|born|(?<![A-Za-z])birth(?![A-Za-z])|生日|せいねんがっぴ)"
    r"(?:(?![。\d]).){0,14}\Z",
    re.IGNORECASE | re.DOTALL,
)
_CUE_RIGHT = re.compile(
    r"\s*(?:[(（][^)）\d]{0,6}[)）])?(?:に|の)?\s*[おご]?(?:(?:生(?:まれ|れ)?|うまれ)(?![産成活命協徒物保誠育涯存息体存誕])|"
    r"(?:誕生|出生)(?!した[商製会店施サ企団]|[商製会店施サ企団し])|(?:was\s)?born|\(?(?:birth|DOB)|[、,]?\s?[(（]?\s?(?:満|当時|現在)?\s?\d{1,3}\s?(?:歳|才))",
    re.IGNORECASE,
)
_CUE = re.compile(r"生年|生\s年|誕生|出生|生ま|生れ|うまれ|生日|birth|born|d\.?o\.?b|[日年月\d\s)]生|バースデー|せいねん|\d{1,3}\s?[歳才]", re.IGNORECASE)
_DATE = re.compile(r"\d[-./年 ・]|[年月日]|\d{4}")
_FOUNDED = re.compile(r"(?:設立|創業|創立|開業|発売|竣工|開店|発足|制定|施行|設置)(?:年月日|日)?[\s:はが]{0,3}\Z")
_NOT_PERSON = re.compile(r"\s*に(?:誕生|生まれ)(?:した|た|の)(?:会社|企業|商品|ブランド|制度|サービス|団体|施設|製品)")


def detect(view: View) -> Iterator[Hit]:
    """A date next to 生年月日, 生まれ, 誕生日, DOB, born, or followed by an age."""
    if not _CUE.search(view.text) or not _DATE.search(view.text):
        return
    for pattern, confidence in (
        (_JAPANESE, 0.95), (_ERA_SHORT, 0.93), (_YMD, 0.93), (_DMY, 0.9), (_ENGLISH, 0.93),
        (_COMPACT, 0.88), (_MONTH_DAY, 0.7),
    ):  # fmt: skip
        for match in pattern.finditer(view.text):
            rule = _cue(view, *match.span())
            if rule and not (pattern is _MONTH_DAY and rule == "birthdate.after"):
                yield Hit(*match.span(), "BIRTHDATE", rule, confidence)


def _cue(view: View, start: int, end: int) -> str:
    """Which side announces a birth; empty when none does."""
    left = view.left(start, 36)
    if _FOUNDED.search(left) or _NOT_PERSON.match(view.right(end)):
        return ""
    if _CUE_LEFT.search(left):
        return "birthdate.label"
    return "birthdate.after" if _CUE_RIGHT.match(view.right(end)) else ""
