"""English date expressions, most specific first."""

from __future__ import annotations

import re
from datetime import date, timedelta

from apps.common.japanese.business_days import (
    add_business_days,
    add_months,
    end_of_working_week,
    fiscal_year_end,
    monday_of,
    month_end,
    quarter_end,
)
from apps.common.japanese.date_rules import (
    NO_BASE,
    Rule,
    Span,
    absolute,
    check_weekday,
    in_the_future,
    one_day,
    relative,
)

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<m>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = r"Mon(?:day)?|Tue(?:s(?:day)?)?|Wed(?:nesday)?|Thu(?:rs(?:day)?)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?"
_LONG_WEEKDAY = r"Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_WORDS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "a couple of": 2,
}  # fmt: skip
_COUNT = rf"(?P<n>\d{{1,3}}|{'|'.join(sorted(_WORDS, key=len, reverse=True))})"


def _day_number(said: str) -> int:
    """23, or twenty third."""
    return int(said) if said.isdigit() else _WORD_DAYS[said.lower().replace(" ", "-")]


def _weekday(match: re.Match[str]) -> int | None:
    found = match.groupdict().get("w")
    return _DAY_NAMES.index(found[:3].lower()) if found else None


def _month_day(match: re.Match[str], base: date | None) -> Span:
    month, day = _MONTH_NAMES.index(match["m"][:3].lower()) + 1, _day_number(match["d"])
    if match["y"]:
        return check_weekday(one_day(date(int(match["y"]), month, day)), _weekday(match))
    if base is None:
        return NO_BASE
    return in_the_future(lambda year: check_weekday(one_day(date(year, month, day)), _weekday(match)), base)


def _month_only(match: re.Match[str], base: date | None) -> Span | None:
    month, part = _MONTH_NAMES.index(match["m"][:3].lower()) + 1, (match["part"] or "").lower()
    if match["m"].lower() in ("may", "mar", "march") and not part and not match["y"]:
        return None  # "may" and "march" are mostly verbs

    def make(year: int) -> Span:
        if part.startswith("end"):
            return one_day(month_end(year, month))
        until = {"early": 10, "beginning of": 10, "mid": 20, "mid-": 20, "the middle of": 20}.get(part.strip())
        return Span(date(year, month, 1), date(year, month, until) if until else month_end(year, month), "period")

    if match["y"]:
        return make(int(match["y"]))
    return NO_BASE if base is None else in_the_future(make, base)


def _ordinal(match: re.Match[str], base: date) -> Span | None:
    for months in range(3):
        first = add_months(base.replace(day=1), months)
        if (
            _day_number(match["d"]) <= month_end(first.year, first.month).day
            and first.replace(day=_day_number(match["d"])) >= base
        ):
            return check_weekday(one_day(first.replace(day=_day_number(match["d"]))), _weekday(match))
    return None


def _named_weekday(match: re.Match[str], base: date) -> Span:
    """Friday: the coming one. "next Friday" said on Monday may mean this week's: both are named."""
    target = _weekday(match) or 0
    which = (match["which"] or match.groupdict().get("after") or "").lower().strip()
    coming = base + timedelta(days=(target - base.weekday()) % 7 or 7)
    next_week = monday_of(base, 1) + timedelta(days=target)
    if which in ("next week", "of next week"):
        return one_day(next_week)
    if which in ("this week", "of this week"):
        return one_day(monday_of(base) + timedelta(days=target))
    if which == "next" and coming != next_week:
        return one_day(next_week, "ambiguous", (coming, next_week))
    return one_day(coming)


def _period(match: re.Match[str], base: date) -> Span | None:
    """end of (this|next) week, month, quarter, year; "this month" alone is only a period, "the month" nothing."""
    text = match[0].lower()
    if not re.search(r"\bend|this |next |^eo|early|begin|start|-end", text):
        return None
    later = int("next" in text)
    if "week" in text or text == "eow":
        first, last = monday_of(base, later), end_of_working_week(base, later)
    elif "month" in text or text == "eom":
        first = add_months(base.replace(day=1), later)
        last = month_end(first.year, first.month)
    elif "quarter" in text or text == "eoq":
        last = quarter_end(add_months(base, 3 * later))
        first = add_months(last.replace(day=1), -2)
    elif "fiscal" in text or "financial" in text:
        first, last = base, fiscal_year_end(base)
        return Span(first, last, "ambiguous")
    else:
        first, last = date(base.year + later, 1, 1), date(base.year + later, 12, 31)
    if "early" in text or "beginning" in text or "start of" in text:
        return one_day(first, "period")
    exact = re.search(r"end|eow|eom|eoq|within|before the|this ", text)
    return one_day(last) if re.search(r"\bend\b|^eo|-end", text) else Span(first, last, "" if exact else "period")


def _later(match: re.Match[str], base: date) -> Span | None:
    word, unit = match["n"].lower(), match["unit"].lower()
    count = int(word) if word.isdigit() else _WORDS[word]
    if unit.startswith(("business", "working")):
        day = add_business_days(base, count)
    elif unit.startswith("day"):
        day = base + timedelta(days=count)
    elif unit.startswith(("week", "fortnight")):
        day = base + timedelta(weeks=count * (2 if unit.startswith("fortnight") else 1))
    else:
        day = add_months(base, count)
    return Span(base if match["how"].lower() == "within" else day, day)


def _soon(match: re.Match[str], base: date) -> Span:
    return one_day(base + timedelta(days=2 if "after" in match[0].lower() else int("tomorrow" in match[0].lower())))


_UNIT = r"(?P<unit>(?:business |working )?days?|weeks?|months?|fortnights?)"
_WORD_DAYS = {
    word: number
    for number, word in enumerate(
        (
            "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
            "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty[ -]first twenty[ -]second "
            "twenty[ -]third twenty[ -]fourth twenty[ -]fifth twenty[ -]sixth twenty[ -]seventh twenty[ -]eighth "
            "twenty[ -]ninth thirtieth thirty[ -]first"
        )
        .replace("[ -]", "-")
        .split(),
        1,
    )
}
_WORD_DAY = "|".join(w.replace("-", "[ -]") for w in sorted(_WORD_DAYS, key=len, reverse=True))
_ORDINAL = rf"(?P<d>(?:3[01]|[12]?\d)(?=st|nd|rd|th)|{_WORD_DAY})(?:st|nd|rd|th)?"
_DAY_OF = rf"(?P<d>3[01]|[12]?\d|{_WORD_DAY})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s(?P<y>\d{4}))?"
_PREFIX = rf"(?:(?P<w>{_WEEKDAY})\b,?\s(?:the\s)?)?"

_END_OF_DAY = r"(?:(?:the )?(?:end of|close of) (?:the )?(?:business )?(?:day|today|business)|EOD|COB|EOB)"
_PERIOD = (
    r"(?:(?:the )?end of |before the end of |early |(?:the )?beginning of |start of |within )?"
    r"(?:this |next |the |the current )?(?:calendar |fiscal |financial )?(?:week|month|quarter|year)(?:[- ]end)?\b(?!s)"
)
_SOON = r"\b(?:the\s)?day after tomorrow|tomorrow(?: morning| afternoon| evening)?\b|\btonight\b|\btoday\b"

RULES: tuple[Rule, ...] = (
    absolute(rf"\b{_PREFIX}{_MONTH}\s(?:the\s)?{_DAY_OF}\b{_YEAR}", _month_day),
    absolute(rf"\b{_PREFIX}{_DAY_OF}\s(?:of\s)?{_MONTH}{_YEAR}", _month_day),
    absolute(
        r"\b(?P<part>(?:the )?end of |early |beginning of |mid-? ?|the middle of )?"
        rf"(?<![A-Za-z]){_MONTH}(?![-a-z]){_YEAR}(?!\s?\d)",
        _month_only,
    ),
    relative(rf"\b(?P<which>next week|this week),?\s(?:on\s)?(?P<w>{_LONG_WEEKDAY})\b", _named_weekday),
    relative(
        rf"\b(?:{_END_OF_DAY}\s(?:on\s)?)?(?:(?P<which>this coming|coming|this|next)\s)?(?P<w>{_LONG_WEEKDAY})\b"
        rf"(?:\s(?:the\s)?{_ORDINAL})?(?:\s(?P<after>(?:of )?(?:next|this) week))?",
        lambda m, b: _ordinal(m, b) if m["d"] else _named_weekday(m, b),
    ),
    relative(_SOON, _soon),
    relative(rf"\b{_END_OF_DAY}\b", lambda m, b: one_day(b)),
    relative(rf"\b{_PERIOD}|\bEO[WMQ]\b", _period),
    relative(rf"\b(?P<how>in|within)\s(?:the next\s)?{_COUNT}\s{_UNIT}(?:['’]? time)?\b", _later),
    relative(rf"\b{_COUNT}\s{_UNIT}\s(?P<how>from now|from today|later|hence)\b", _later),
    relative(rf"\bthe\s{_ORDINAL}\b(?!\s(?:floor|time|quarter|item|draft|version))", _ordinal),
    absolute(
        r"\b(?:our |the )?next (?:meeting|call|session|review|committee|sync|stand-?up)\b",
        lambda m, b: Span(None, None, "next_meeting"),
    ),
    absolute(
        r"\bASAP\b|\bas soon as possible\b|\bshortly\b|\bright away\b|\bimmediately\b",
        lambda m, b: Span(None, None, "vague"),
    ),
)
