"""What the Japanese and English date rules share: a rule, a span of days, how a year is chosen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

FAR = timedelta(days=300)


@dataclass(frozen=True)
class Span:
    """Days ``first`` to ``last``; ``issue`` as in :class:`apps.common.japanese.dates.DateMention`."""

    first: date | None
    last: date | None
    issue: Any = ""
    alternatives: tuple[date, ...] = ()


NO_BASE = Span(None, None, "no_base")


def one_day(day: date, issue: str = "", alternatives: tuple[date, ...] = ()) -> Span:
    return Span(day, day, issue, alternatives)


@dataclass(frozen=True)
class Rule:
    """A pattern and what it means. ``resolve`` answers None where the words are no date after all."""

    pattern: re.Pattern[str]
    resolve: Callable[[re.Match[str], date | None], Span | None]


def relative(pattern: str, resolve: Callable[[re.Match[str], date], Span | None]) -> Rule:
    """A rule that needs a base day; without one the mention has the issue ``no_base``."""

    def guarded(match: re.Match[str], base: date | None) -> Span | None:
        return NO_BASE if base is None else resolve(match, base)

    return Rule(re.compile(pattern, re.IGNORECASE), guarded)


def absolute(pattern: str, resolve: Callable[[re.Match[str], date | None], Span | None]) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), resolve)


def in_the_future(make: Callable[[int], Span], base: date) -> Span:
    """A day or period without a year: this year's, or next year's when this year's is over.

    When the roll-over leads more than 300 days ahead the past one may be meant: issue ``far``.
    """
    here = make(base.year)
    if here.last is None or here.last >= base:
        return here
    ahead = make(base.year + 1)
    if ahead.last is not None and ahead.last - base > FAR and not ahead.issue:
        return Span(ahead.first, ahead.last, "far", (here.last,))
    return ahead


def check_weekday(span: Span, weekday: int | None) -> Span:
    """Marks a single day whose stated weekday is another one; the alternative is the nearest such weekday."""
    if weekday is None or span.last is None or span.first != span.last or span.last.weekday() == weekday:
        return span
    shift = (weekday - span.last.weekday() + 3) % 7 - 3
    return Span(span.first, span.last, "weekday_mismatch", (span.last + timedelta(days=shift),))
