"""As-of dates and validity of documents: finding them in the text, comparing them with today."""

from __future__ import annotations

import calendar
import re
from datetime import date

from apps.common.japanese.normalise import half_width
from apps.proposals.evidence.figures import Figure, find_figures

_VALID = re.compile(
    (
        r"有効期限|有効期間|適用期限|適用期間|お取扱期限|取扱期限|申込期限|販売期間|"
        r"期限\s*[:：]|valid(?:ity)?\s*(?:until|through|thru|to|till|period)?|expir\w*|good until"
    ),
    re.IGNORECASE,
)
_VALID_AFTER = re.compile(r"^\s*(?:日)?(?:まで)(?:有効|適用|の適用|お取扱い|の受付|ご利用)")
_AS_OF = re.compile(
    r"基準日|作成日|発行日|改定日|改訂日|更新日|集計日|時点|as of|as at|dated?|issued|updated|revised", re.IGNORECASE
)
_AS_OF_AFTER = re.compile(r"^\s?(?:末)?(?:日)?(?:現在|時点|末現在|基準)")


def valid_until(text: str) -> str:
    """The last day a line says its content is valid; "" when it says nothing of that kind."""
    flat = half_width(text)
    dates = _full_dates(text)
    word = _VALID.search(flat)
    if word and (later := [f for f in dates if f.start >= word.start()]):
        return (
            later[-1].text
            if re.search(r"[~-]|から|to|until|through", flat[later[0].end : later[-1].start])
            else later[0].text
        )
    return next((f.text for f in dates if _VALID_AFTER.match(flat[f.end :])), "")


def as_of(text: str) -> str:
    """The day a line states as that of its content."""
    flat = half_width(text)
    dates = _full_dates(text)
    after = next((f.text for f in dates if _AS_OF_AFTER.match(flat[f.end :])), "")
    if after:
        return after
    word = _AS_OF.search(flat)
    near = [f for f in dates if word and 0 <= f.start - word.end() <= 6]
    return near[0].text if near and not _VALID.search(flat) else ""


def _full_dates(text: str) -> list[Figure]:
    return [f for f in find_figures(text) if f.kind == "date" and re.match(r"\d{4}|FY", f.key)]


def last_day(text: str) -> date | None:
    """The last day of a date or period as written (2026年3月 → 31 March); None when it has no year."""
    figure = next((f for f in find_figures(text) if f.kind == "date"), None)
    if figure is None:
        return None
    fiscal = re.match(r"FY(\d{4})(?:-(H1|Q[1-4]))?$", figure.key)
    if fiscal:
        month = {"H1": 9, "Q1": 6, "Q2": 9, "Q3": 12}.get(fiscal[2] or "", 3)
        return _end(int(fiscal[1]) + (month == 3), month)
    term = re.match(r"FYE(\d{4})-(\d{2})$", figure.key)
    if term:
        return _end(int(term[1]), int(term[2]))
    plain = re.match(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?", figure.key)
    if not plain:
        return None
    year, month, day = int(plain[1]), int(plain[2] or 12), plain[3]
    if not day:
        return _end(year, month)
    return date(year, month, int(day)) if int(day) <= calendar.monthrange(year, month)[1] else None


def _end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])
