"""Until when: the deadline in the words of the meeting and the day it means, resolved by code, never by the model.

Where a date is corrected in the same breath (九日、いや十日まで) the corrected one counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from apps.common.japanese.business_days import WEEKDAYS, monday_of
from apps.common.japanese.dates import DateMention, find_dates
from apps.common.japanese.normalise import half_width
from apps.common.japanese.numbers import parse_number
from apps.minutes.text.events import EventDays, FromEvent, find_event_deadline
from apps.minutes.text.reasons import Reason

# What follows a date that is a deadline or the day of doing. の links it to a noun (12月10日の会議) unless a time follows.
_AFTER = re.compile(
    r"^(?:\s|、|,)?(?:の?(?:午前|午後|朝|昼|夕方|夜|夕|正午|お昼|朝一|朝イチ|終業|営業時間|業務終了)?(?:の)?(?:中|のうち)?"
    r"(?:\d{1,2}|[一二三四五六七八九十]{1,3})?(?:時|:\d\d)?(?:半|\d{1,2}分)?)?(?:ごろ|頃|くらい|ぐらい)?"
    r"(?P<mark>まで(?:に)?(?:は)?|迄(?:に)?|までで|以内(?:に)?|中(?:に)?(?:は)?|のうち(?:に)?|には|締め?切り?(?:で)?|いっぱい(?:で|に)?|付け?で|を?(?:期限|目途|めど|目処|目標)(?:に|と|で|として))"
)
_BEFORE = re.compile(
    r"(?:期限|締め?切り?|納期|〆切|期日|提出日|デッドライン)(?:は|が|を|、)?$|(?:\b(?:by|before|until|due(?: on| by)?|no later than|deadline is|on)\s(?:the\s)?)$",
    re.I,
)
_LINKED = re.compile(
    r"^(?:の(?!朝|昼|午|夕|夜|うち|中|終|業|\d|[一二三四五六七八九十]+時)|から|より|以降|以来|時点|現在|付の|分の|号|版)"
)
_MEETING = re.compile(
    r"(?:次回|次|今度|来週|今週|再来週|来月|次期)(?:の)?(?:[一-鿿ァ-ヴー]{0,8}?(?:定例会?|会議|委員会|審査会|取締役会|打ち?合わせ|ミーティング|会合|部会|例会|朝会|レビュー|回)|回)(?P<mark>まで(?:に)?(?:は)?|に(?:は)?|で)"
    r"|(?:by|before|at|until|for) (?:the |our )?next (?:meeting|call|session|review|committee|sync|stand-?up)",
    re.I,
)


_CORRECTS = re.compile(
    r"(?:^|[、。,\s])(?:いや|いえ|じゃな(?:い|くて)|ではなく(?:て)?|違(?:う|った|います|いました)|間違え|訂正|失礼|すみません|ごめん|やっぱり|やはり|もとい)"
    r"|じゃなくて|ではなく|\b(?:sorry|no(?=,)|actually|i mean|or rather|make (?:that|it)|correction|scratch that)\b",
    re.I,
)
_TIME_OF_DAY = re.compile(
    r"の?(?:朝一|朝イチ|朝|午前中?|午後一?|昼|夕方|夜)(?:で|に)?|\s(?:morning|afternoon|evening|night|noon)\b",
    re.IGNORECASE,
)
_CLOSING_TIME = re.compile(r"close of business|end of (?:the )?day|EOD|COB|noon", re.I)


@dataclass(frozen=True)
class Due:
    """``text`` as said; ``day`` None when it cannot be resolved. ``firm``: marked as a deadline (まで, by …).

    ``span``: all words that belong to it, those that were corrected included.
    """

    text: str
    day: date | None
    firm: bool
    reasons: tuple[Reason, ...] = ()
    span: str = ""


def corrects(text: str) -> bool:
    """Whether a sentence takes back a date that was just said: いや、十日でした; actually, make that Monday."""
    return _CORRECTS.search(half_width(text)) is not None


def find_due(text: str, base: date | None, next_meeting: date | None, events: EventDays | None = None) -> Due | None:
    """The deadline in a sentence, or the day on which somebody will do it; None when none is said.

    ``events`` tells the days of the events that the meeting names; without it such deadlines have no day.
    """
    flat = half_width(text)
    mentions = in_one_week(_of_days(flat, find_dates(text, base)))
    meeting = _MEETING.search(flat)
    if meeting and not _day_inside(meeting, mentions):
        return _until_meeting(text, meeting, base, next_meeting)
    event = find_event_deadline(text)
    if event is not None and event.steps == 0 and any(_part_of(m, event) for m in mentions):
        event = None  # 月末までに is a date, not an event
    found = [(m, d) for m in mentions if not _part_of(m, event) and (d := _due(flat, m, base)) is not None]
    if event is not None and not any(d.firm for _, d in found):
        return _from_event(text, event, base, events)
    return _last_word(flat, found)


def marks_deadline(text: str, mention: DateMention) -> bool:
    """Whether a date in a text is one until which something is to be done (まで, 以内, by …)."""
    flat = half_width(text)
    return bool(
        _AFTER.match(flat[mention.end :]) or re.search(r"\b(?:by|until)\s(?:the\s)?$", flat[: mention.start], re.I)
    )


def _of_days(flat: str, mentions: list[DateMention]) -> list[DateMention]:
    """Without the time of day that only goes with a day: close of business tomorrow."""
    later = [m.start for m in mentions]
    return [
        m for m in mentions
        if not (_CLOSING_TIME.fullmatch(m.text) and any(0 <= start - m.end <= 4 for start in later))
    ]  # fmt: skip


def in_one_week(mentions: Sequence[DateMention]) -> list[DateMention]:
    """来週の水曜、いや木曜 means next week's Thursday: a bare weekday or day stays near the date named before it."""
    found: list[DateMention] = []
    for mention in mentions:
        before = next((m.day for m in reversed(found) if m.day and re.search("週|月", m.text)), None)
        found.append(near_day(mention, before) if before else mention)
    return found


def near_day(mention: DateMention, anchor: date) -> DateMention:
    """A bare weekday in the anchor's week, a bare day in its month; any other mention as it is."""
    weekday, number = re.fullmatch(r"([月火水木金土日])曜日?", mention.text), re.fullmatch(r"(.+)日", mention.text)
    if weekday:
        day = monday_of(anchor) + timedelta(days=WEEKDAYS.index(weekday[1]))
        return replace(mention, first=day, day=day) if mention.day and day >= mention.day else mention
    value = parse_number(number[1]) if number else None
    if value is None or mention.first != mention.day or not 1 <= value <= 28:
        return mention
    day = anchor.replace(day=int(value))
    return replace(mention, first=day, day=day)


def _part_of(mention: DateMention, event: FromEvent | None) -> bool:
    return event is not None and event.start <= mention.start < event.end


def _last_word(flat: str, found: list[tuple[DateMention, Due]]) -> Due | None:
    """The first deadline that is marked as one, unless a later date corrects it."""
    chosen: tuple[DateMention, Due] | None = None
    for mention, due in found:
        if chosen is None or (due.firm and not chosen[1].firm):
            chosen = mention, due
        elif _CORRECTS.search(flat[chosen[0].end : mention.start]):
            span = flat[flat.find(chosen[1].text) : mention.start] + due.text
            chosen = mention, replace(due, firm=due.firm or chosen[1].firm, span=span)
    return chosen[1] if chosen else None


def _from_event(text: str, event: FromEvent, base: date | None, events: EventDays | None) -> Due:
    said = text[event.start : event.end]
    days = list(events(event.event)) if events and event.event else []
    if len(days) == 1 and (day := event.day(days[0])) is not None:
        late = base is not None and day < base
        return Due(said, day, True, (Reason("due_past", said, day.isoformat()),) if late else ())
    if len(days) > 1:
        return Due(said, None, True, (Reason("due_event_days", said, "・".join(d.isoformat() for d in days)),))
    return Due(said, None, True, (Reason("due_event_unknown", said),))


def _day_inside(meeting: re.Match[str], mentions: list[DateMention]) -> bool:
    """来週水曜の定例まで names the day itself."""
    return any(m.day and m.first == m.day and m.start < meeting.end() and meeting.start() < m.end for m in mentions)


def _until_meeting(text: str, match: re.Match[str], base: date | None, next_meeting: date | None) -> Due:
    words = text[match.start() : match.end()]
    week = {"来週": 1, "今週": 0, "再来週": 2}.get(match[0][:2] if not match[0].startswith("再") else "再来週")
    if next_meeting and week is not None and base and monday_of(next_meeting) != monday_of(base, week):
        return Due(words, None, True, (Reason("due_meeting_unknown", words),))
    if next_meeting is None:
        return Due(words, None, True, (Reason("due_meeting_unknown", words),))
    return Due(words, next_meeting, True)


def _due(flat: str, mention: DateMention, base: date | None) -> Due | None:
    after = flat[mention.end :]
    if re.match("締め(?!切)", after):
        return None  # 月末締めで集計: by which closing, not until when
    mark = _AFTER.match(after)
    before = _BEFORE.search(flat[: mention.start])
    exact = mention.issue != "period" or (mark and re.match("中|のうち|いっぱい|以内", mark["mark"]))
    english = mention.text.isascii()
    firm = bool(mark or before or mention.issue in ("vague",) or re.search(r"中$|以内$|いっぱい$|末$", mention.text))
    if not firm and re.search(r"(?:日|週間|月|年)で$", mention.text):
        return None  # 半年でそろえる says how long, 二十二日で締める is no day from now
    if not firm and (_LINKED.match(after) or mention.issue in ("recurring",)):
        return None
    if not firm and mention.first != mention.day and not english:
        return None
    if mention.issue == "recurring" or (mention.day and base and mention.day < base and not firm):
        return None
    words = flat[before.start() if before and english else mention.start : mention.end + (mark.end() if mark else 0)]
    if not mark and (time := _TIME_OF_DAY.match(after)):
        words += time[0]
    words = words.strip("、, ")
    return Due(words, mention.day, firm, _reasons(mention, words, base, bool(exact)))


def _reasons(mention: DateMention, words: str, base: date | None, exact: bool) -> tuple[Reason, ...]:
    if mention.day is None:
        code = {"no_base": "due_no_base", "invalid": "due_invalid", "next_meeting": "due_meeting_unknown"}
        return (Reason(code.get(mention.issue, "due_vague"), words),)
    if mention.issue == "weekday_mismatch":
        other = mention.alternatives[0].isoformat() if mention.alternatives else ""
        return (Reason("due_weekday", words, mention.day.isoformat(), other),)
    if mention.issue in ("ambiguous", "far") or (mention.issue == "period" and not exact):
        others = [d.isoformat() for d in mention.alternatives if d != mention.day]
        return (Reason("due_ambiguous", words, mention.day.isoformat(), "・".join(others)),)
    if base and mention.day < base - timedelta(days=0):
        return (Reason("due_past", words, mention.day.isoformat()),)
    return ()


def without_due(text: str, due: Due | None) -> str:
    """The text without the words of its deadline."""
    if due is None:
        return text
    flat = half_width(text)
    words = half_width(due.span or due.text)
    at = flat.find(words)
    if at < 0:
        return text
    rest = text[:at].rstrip("、, ") + ("、" if text[:at].endswith("、") and text[at + len(words) :] else "")
    tail = re.sub(r"^(?:に|は|で(?!す))?[、,]?\s?", "", text[at + len(words) :])
    joint = " " if rest[-1:].isascii() and rest and tail[:1].isascii() and tail and tail[0].isalnum() else ""
    return rest + joint + tail
