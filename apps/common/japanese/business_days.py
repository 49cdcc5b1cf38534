"""The Japanese calendar for business: eras, weekdays, holidays, business days, 五十日. Fiscal years start in April."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import jpholiday

WEEKDAYS = "月火水木金土日"
_ERAS = (
    ("令和", date(2019, 5, 1)),
    ("平成", date(1989, 1, 8)),
    ("昭和", date(1926, 12, 25)),
    ("大正", date(1912, 7, 30)),
)
ERA_START = {name: start.year for name, start in _ERAS} | {"R": 2019, "H": 1989, "S": 1926, "T": 1912}


def is_business_day(day: date) -> bool:
    """Monday to Friday, no public holiday, not 31 December to 3 January (banks are closed)."""
    new_year = (day.month, day.day) in ((12, 31), (1, 1), (1, 2), (1, 3))
    return day.weekday() < 5 and not new_year and not jpholiday.is_holiday(day)


def add_business_days(day: date, count: int) -> date:
    """The ``count``-th business day after (or, negative, before) a day."""
    step = timedelta(days=1 if count >= 0 else -1)
    for _ in range(abs(count)):
        day += step
        while not is_business_day(day):
            day += step
    return day


def on_or_after(day: date) -> date:
    """The day itself if it is a business day, else the next one."""
    return day if is_business_day(day) else add_business_days(day, 1)


def on_or_before(day: date) -> date:
    """The day itself if it is a business day, else the one before."""
    return day if is_business_day(day) else add_business_days(day, -1)


def monday_of(day: date, weeks: int = 0) -> date:
    """Monday of the week of a day, ``weeks`` later."""
    return day - timedelta(days=day.weekday()) + timedelta(weeks=weeks)


def end_of_working_week(day: date, weeks: int = 0) -> date:
    """The last business day of that week: Friday, or an earlier day when Friday is a holiday."""
    friday = monday_of(day, weeks) + timedelta(days=4)
    last = on_or_before(friday)
    return last if last >= monday_of(day, weeks) else friday


def add_months(day: date, months: int) -> date:
    """The same day of a later month; the last day where the month is shorter."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def quarter_end(day: date) -> date:
    """Last day of the calendar quarter, which is also a quarter of the fiscal year from April."""
    return month_end(day.year, (day.month + 2) // 3 * 3)


def fiscal_year_end(day: date) -> date:
    """31 March that ends the fiscal year of a day."""
    return date(day.year + (day.month > 3), 3, 31)


def next_gotobi(day: date) -> date:
    """The next 五十日 (5, 10, 15, 20, 25, last of the month) on or after a day."""
    while not (day.day % 5 == 0 and day.day <= 25) and day != month_end(day.year, day.month):
        day += timedelta(days=1)
    return day


def era(day: date) -> str:
    """令和8年11月23日."""
    for name, start in _ERAS:
        if day >= start:
            year = day.year - start.year + 1
            return f"{name}{'元' if year == 1 else year}年{day.month}月{day.day}日"
    return f"{day.year}年{day.month}月{day.day}日"


def long_ja(day: date) -> str:
    """2026年11月23日（月）."""
    return f"{day.year}年{day.month}月{day.day}日（{WEEKDAYS[day.weekday()]}）"


def long_en(day: date) -> str:
    """Mon 23 November 2026, independent of the locale."""
    return f"{calendar.day_abbr[day.weekday()]} {day.day} {calendar.month_name[day.month]} {day.year}"
