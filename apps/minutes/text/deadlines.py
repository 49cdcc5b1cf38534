"""Until when a task is to be done: from the request, its answer and what was agreed on afterwards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from apps.common.japanese.normalise import is_japanese
from apps.minutes.text.dues import Due, corrects, find_due, marks_deadline, near_day
from apps.minutes.text.found import Found, subject_words
from apps.minutes.text.moves import Move, Talk
from apps.minutes.text.reasons import Reason

_OTHER_DAY = re.compile(
    r"でも(?:いい|よい|良い|よろし|大丈夫|構|可能)|(?:に|で)(?:して)?(?:いただ|もら|できま|お願いでき|なりま)|なら(?:出せ|でき|間に合|大丈夫|何とか|なんとか)|になりそう|(?:でき|いただけ)ません"
    r"|\b(?:can i|could i|would|is|how about|what about|can we|could we)\b.*\?|\b(?:more realistic|earliest|until)\b",
    re.IGNORECASE,
)
_FINE = re.compile(
    r"構いません|かまいません|構わない|いいです|いいよ|大丈夫|結構です|それで|了解|OK|オーケー|オッケー", re.IGNORECASE
)
_NUMBER_OF_DAY = re.compile(r"(?<=日)で(?=も|いい|よい|お願い|大丈夫|結構|構|よろし|問題|承知|了解|[、。\s]|$)")


def due_of(move: Move, talk: Talk) -> Due | None:
    """The deadline in a sentence, with what the rest of the meeting tells about events and the next meeting."""
    return find_due(move.text, talk.base, next_meeting_day(talk), lambda event: event_days(event, talk))


def set_due(found: Found, parts: Sequence[Move], answers: Sequence[Move], talk: Talk) -> None:
    """Give an item the deadline that was agreed on last; say so where the meeting named more than one."""
    asked = _amended([m for m in parts if m not in answers], talk)
    reply = _amended(answers, talk)
    if asked and reply and restates(asked, reply):
        reply = None
    found.due = _better(asked, reply if reply and (reply.firm or not asked) else None)
    if asked and reply and asked.day and reply.day and asked.day != reply.day and reply.firm:
        found.due = reply
        found.reasons.append(Reason("due_conflict", f"{asked.text} / {reply.text}"))
    other, moves = _renegotiated(parts[-1], talk)
    if other is not None and asked is not None:
        found.due = other
        found.cite(*moves)
        found.reasons = [r for r in found.reasons if r.code not in ("due_conflict", "declined")]
    if found.due:
        found.reasons += found.due.reasons


def _amended(moves: Sequence[Move], talk: Talk) -> Due | None:
    """The first firm deadline of some sentences, unless a later one takes it back."""
    chosen: Due | None = None
    for move in moves:
        due = due_of(move, talk)
        if due is None:
            continue
        if chosen is None or (due.firm and not chosen.firm) or (due.day and corrects(move.text)):
            chosen = due
    return chosen


def _better(first: Due | None, reply: Due | None) -> Due | None:
    """The request's deadline unless only the answer's can be resolved."""
    if first is None or (first.day is None and reply is not None and reply.day is not None):
        return reply
    return first


def restates(first: Due, second: Due) -> bool:
    """来週の火曜でもいいですか + 火曜でいいよ: the second only repeats a part of the first's words."""
    short = re.sub(r"(?:まで|に|は|で|の|中|日|\s)+$", "", second.text)
    return bool(short) and len(second.text) < len(first.text) and short in first.text


def _renegotiated(last: Move, talk: Talk) -> tuple[Due | None, list[Move]]:
    """十四日でもよろしいですか + では十四日で: the day that both agreed on, and where they did."""
    offers = [
        m for m in talk.after(last, 1)
        if m.speaker != last.speaker and _OTHER_DAY.search(m.text) and _offered(m, talk) is not None
    ]  # fmt: skip
    if not offers:
        return None, []
    offer, day = offers[-1], _offered(offers[-1], talk)
    settled = [
        m for m in talk.after(offer, 1)[:4]
        if m.speaker == last.speaker and (m.does("accept") or _FINE.search(m.text) or _offered(m, talk))
    ]  # fmt: skip
    if not settled or settled[0].does("decline") or day is None:
        return None, []
    final = next((d for m in settled if (d := _offered(m, talk)) is not None), day)
    final = day if restates(day, final) else final
    return final, [offer, *settled[:2]]


def _offered(move: Move, talk: Talk) -> Due | None:
    """The last day that a sentence names, 十四日でも and 十五日で included."""
    text = _NUMBER_OF_DAY.sub("、", move.text) if is_japanese(move.text) else move.text
    parts = [p for p in re.split(r"(?:ので|から|けど|が)、?|,\s", text) if p]
    found = [d for p in parts if (d := find_due(p, talk.base, next_meeting_day(talk))) is not None and d.day]
    return replace(found[-1], text=found[-1].text.rstrip("、で")) if found else None


# ── what the rest of the meeting tells ──────────────────────────────────────────────────────────────────────────────


def next_meeting_day(talk: Talk) -> date | None:
    """The day of the next meeting, if one is named."""
    named = [[d.day for d in m.dates if d.day and d.first == d.day] for m in talk.moves if m.does("next_meeting")]
    days = [found[0] for found in named if found]
    later = [d for d in days if talk.base is None or d > talk.base]
    return later[-1] if later else None


def event_days(event: str, talk: Talk) -> list[date]:
    """The days that the meeting names for an event: 試飲会は十一月二十六日です. Deadlines for it do not count."""
    name = re.sub(r"^[おご]|日$", "", event)
    if len(name) < 2:
        return []
    found: dict[date, None] = {}
    for move in talk.moves:
        if name.lower() in move.text.lower():
            days = _single_days(move, talk) or [d for m in talk.after(move, 0)[:1] for d in _single_days(m, talk)]
            found.update(dict.fromkeys(_corrected(days, move, talk)))
    return list(found)


def _corrected(days: list[date], move: Move, talk: Talk) -> list[date]:
    """The day of an event as put right just after it was named; both if it was only doubted."""
    if not days:
        return []
    for later in talk.after(move, 2)[:5]:
        named = [d for m in later.dates if (d := near_day(m, days[-1]).day) and m.first == m.day]
        if named and named[0] != days[-1] and corrects(later.text):
            return named[:1]
        if (
            named
            and named[0] != days[-1]
            and re.search(r"じゃな(?:い|かった)|では(?:ない|なかった)|\bisn't it\b", later.text)
        ):
            days = [*days, named[0]]
    return days


def _single_days(move: Move, talk: Talk) -> list[date]:
    if move.does("request", "strong_commit", "reported", "next_meeting"):
        return []
    return [
        m.day for m in move.dates
        if m.day and m.first == m.day and (talk.base is None or m.day >= talk.base) and not marks_deadline(move.text, m)
    ]  # fmt: skip


def amends(move: Move, talk: Talk) -> bool:
    """A sentence that only corrects the deadline just said: あ、火曜でした; actually, make that Monday."""
    if not corrects(move.text) or (due := due_of(move, talk)) is None or due.day is None:
        return False
    return len(subject_words(re.sub(r"\b(?:make|i'm|out|away)\b", "", move.text, flags=re.I))) <= 1
