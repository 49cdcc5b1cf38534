"""Dates said or written in Japanese or English, resolved by code against a base day (of the meeting, of the brief).

``find_dates("来週水曜までに", base=date(2026, 11, 23))`` → one mention, day 2026-12-02. A deadline names the *last* day
that is meant: 月末, 来週中 and Q3 resolve to the end of the period. What cannot be resolved keeps its words and says
why in ``issue``; nothing is guessed in silence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from apps.common.japanese import dates_en, dates_ja
from apps.common.japanese.date_rules import Rule, Span
from apps.common.japanese.normalise import half_width

# no_base: relative (or without a year), and no base day is known. weekday_mismatch: 12月2日(火) is a Wednesday.
# ambiguous: two readings, both in ``alternatives``. period: only a week or month was named. far: more than 300 days
# ahead, so perhaps a past day. vague: 近日中, ASAP. next_meeting: 次回まで. recurring: 毎月末. invalid: 2月30日.
Issue = Literal[
    "", "no_base", "weekday_mismatch", "ambiguous", "period", "far", "vague", "next_meeting", "recurring", "invalid"
]


@dataclass(frozen=True)
class DateMention:
    """``text[start:end]`` names the days ``first`` to ``day`` (equal for a single day; None when not resolvable)."""

    start: int
    end: int
    text: str
    first: date | None
    day: date | None
    issue: Issue = ""
    alternatives: tuple[date, ...] = ()


def find_dates(text: str, base: date | None = None) -> list[DateMention]:
    """All dates and deadlines in a text, in order, not overlapping; earlier rules (more specific) win."""
    flat = half_width(text)
    found: list[DateMention] = []
    for rule in (*dates_ja.RULES, *dates_en.RULES):
        for match in rule.pattern.finditer(flat):
            if any(match.start() < m.end and m.start < match.end() for m in found):
                continue
            span = _resolve(rule, match, base)
            if span is not None:
                found.append(_mention(text, match, span))
    return sorted(found, key=lambda m: m.start)


def _mention(text: str, match: re.Match[str], span: Span) -> DateMention:
    start, end = match.start(), match.start() + len(match[0].rstrip(" の,、"))
    return DateMention(start, end, text[start:end], span.first, span.last, span.issue, span.alternatives)


def _resolve(rule: Rule, match: re.Match[str], base: date | None) -> Span | None:
    try:
        return rule.resolve(match, base)
    except ValueError:
        return Span(None, None, "invalid")


def parse_date(text: str) -> date | None:
    """One complete date (2026-11-23, 2026年11月23日, 令和8年11月23日, R8.11.23, 23 November 2026), or None."""
    mentions = find_dates(text.strip())
    if len(mentions) == 1 and mentions[0].text.strip() == text.strip().rstrip(" の,") and not mentions[0].issue:
        return mentions[0].day if mentions[0].day == mentions[0].first else None
    return None


def same_days(left: DateMention, right: DateMention) -> bool:
    """Whether two mentions mean the same days: as resolved or, where neither could be, in the same words."""
    if left.day and right.day:
        return (left.first, left.day) == (right.first, right.day)
    return half_width(left.text) == half_width(right.text)


def missing_dates(statement: str, evidence: Sequence[str] | str, base: date | None = None) -> list[DateMention]:
    """Dates of the statement that the evidence does not name."""
    texts = [evidence] if isinstance(evidence, str) else evidence
    known = [mention for text in texts for mention in find_dates(text, base)]
    return [m for m in find_dates(statement, base) if not any(same_days(m, k) for k in known)]
