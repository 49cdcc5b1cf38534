"""Deadlines counted from an event (試飲会の三日前まで, two weeks before the launch): which event, and how far from it.

Which day the event is, the rest of the meeting tells; where it does not, the deadline keeps its words and has no day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from apps.common.japanese.business_days import add_business_days, add_months
from apps.common.japanese.normalise import half_width, is_japanese
from apps.common.japanese.numbers import parse_number
from apps.common.japanese.words import Word, words

EventDays = Callable[[str], Sequence[date]]  # the days that the meeting names for an event

_N = r"\d{1,2}|[一二三四五六七八九十]{1,3}"
_FROM_EVENT = re.compile(
    rf"(?:の)?(?:(?P<n>{_N})(?P<unit>営業日|日|週間|[かヶケ]月)(?P<side>前|後)|(?P<word>前々日|前日|当日|翌日|翌営業日|直前|直後|前の週|の前|明け|前|後))"
    r"(?P<mark>まで(?:に)?(?:は)?|中に|以内に|には|に(?=でも|は))"
)
_UNTIL = re.compile(r"(?P<mark>までに(?:は)?)")
_NOT_AN_EVENT = re.compile(
    r"^(?:午|以|事|目|手|人|名|個|直|寸|年|月|週|日|時|何|いつ|それ|これ|ここ|そこ|どこ|前日|前々日|当日|翌日|翌営業日)$|何|いつ"
)
_ENGLISH = re.compile(
    r"\b(?:(?P<n>\w+)\s(?P<unit>(?:business |working )?days?|weeks?|months?)\s(?P<side>before|after|ahead of|prior to)"
    r"|(?P<word>the day before|the day after|before|ahead of|prior to|by|in time for|until))\s"
    r"(?:the |our |their )(?P<event>[A-Za-z][A-Za-z' -]{2,28}?)(?=[,.;?!]|$|\s(?:and|so|which|please|then)\b)",
    re.IGNORECASE,
)
_NUMBERS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}
_STEPS = {"前々日": -2, "前日": -1, "the day before": -1, "当日": 0, "by": 0, "until": 0, "翌日": 1, "the day after": 1}
_CLOCK = re.compile(
    r"^(?:end|close|start|beginning|day|week|month|year|morning|afternoon|evening|time|way|moment)\b", re.I
)


@dataclass(frozen=True)
class FromEvent:
    """``text[start:end]`` is the deadline. ``steps`` in ``unit`` (day, business, week, month); None: not said how many."""

    start: int
    end: int
    event: str
    steps: int | None
    unit: str = "day"

    def day(self, event_day: date) -> date | None:
        """The day that is meant, once the event's own day is known."""
        if self.steps is None:
            return None
        if self.unit == "business":
            return add_business_days(event_day, self.steps)
        if self.unit == "month":
            return add_months(event_day, self.steps)
        return event_day + timedelta(days=self.steps * (7 if self.unit == "week" else 1))


def find_event_deadline(text: str) -> FromEvent | None:
    """The first deadline of a sentence that is counted from an event; None when there is none."""
    flat = half_width(text)
    if not is_japanese(flat):
        return _english(flat)
    for pattern in (_FROM_EVENT, _UNTIL):
        for match in pattern.finditer(flat):
            found = _japanese(flat, match)
            if found is not None:
                return found
    return None


def _japanese(flat: str, match: re.Match[str]) -> FromEvent | None:
    start, event = _noun_before(flat, match.start())
    said = match.groupdict()
    if not event and not said.get("n"):
        return None
    steps, unit = _distance(said)
    return FromEvent(start, match.end(), event, steps, unit)


def _distance(said: dict[str, str | None]) -> tuple[int | None, str]:
    count, name = said.get("n"), said.get("unit")
    if count and name:
        number = int(parse_number(count) or 0)
        unit = {"営業日": "business", "週間": "week", "日": "day"}.get(name, "month")
        return (-number if said.get("side") == "前" else number), unit
    word = said.get("word")
    if word == "翌営業日":
        return 1, "business"
    return (_STEPS.get(word) if word else 0), "day"


def _noun_before(flat: str, end: int) -> tuple[int, str]:
    """The noun phrase that ends at a place, and where it starts; empty for pronouns, times and numbers."""
    phrase: list[Word] = []
    for word in reversed([w for w in words(flat) if w.end <= end]):
        if word.kind not in ("名詞", "接頭辞", "接尾辞"):
            break
        phrase.append(word)
        if word.pos[1] == "数詞":
            return end, ""
    if not phrase or phrase[0].end != end:
        return end, ""
    event = flat[phrase[-1].start : end]
    return (end, "") if _NOT_AN_EVENT.search(event) else (phrase[-1].start, event)


def _english(flat: str) -> FromEvent | None:
    for match in _ENGLISH.finditer(flat):
        said = match.groupdict()
        if _CLOCK.match(match["event"]) or re.match(r"next\b|end\b", match["event"], re.I):
            continue
        steps, unit = _STEPS.get((said["word"] or "").lower()), "day"
        if said["n"]:
            number = int(said["n"]) if said["n"].isdigit() else _NUMBERS.get(said["n"].lower(), 0)
            if not number:
                continue
            steps = number if said["side"].lower() == "after" else -number
            unit = next(
                u for u in ("business", "working", "day", "week", "month") if said["unit"].lower().startswith(u)
            )
            unit = "business" if unit == "working" else unit
        return FromEvent(match.start(), match.end(), match["event"].strip(), steps, unit)
    return None
