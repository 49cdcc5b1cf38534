"""Until when: the deadline in the words of the meeting and the day it means, resolved by code, never by the model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from apps.common.japanese.business_days import monday_of
from apps.common.japanese.dates import DateMention, find_dates
from apps.common.japanese.normalise import half_width
from apps.minutes.text.reasons import Reason

# What follows a date that is a deadline or the day of doing. の links it to a noun (12月10日の会議) unless a time follows.
_AFTER = re.compile(
    r"^(?:\s|、|,)?(?:の?(?:午前|午後|朝|昼|夕方|夜|夕|正午|お昼|朝一|朝イチ|終業|営業時間|業務終了)?(?:の)?(?:中|のうち)?"
    r"(?:\d{1,2}|[一二三四五六七八九十]{1,3})?(?:時|:\d\d)?(?:半|\d{1,2}分)?)?(?:ごろ|頃|くらい|ぐらい)?"
    r"(?P<mark>まで(?:に)?(?:は)?|迄(?:に)?|までで|以内(?:に)?|中(?:に)?(?:は)?|のうち(?:に)?|には|締め?(?:切り)?(?:で)?|いっぱい(?:で|に)?|付け?で|を?(?:期限|目途|めど|目処|目標)(?:に|と|で|として))"
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


@dataclass(frozen=True)
class Due:
    """``text`` as said; ``day`` None when it cannot be resolved. ``firm``: marked as a deadline (まで, by …)."""

    text: str
    day: date | None
    firm: bool
    reasons: tuple[Reason, ...] = ()


def find_due(text: str, base: date | None, next_meeting: date | None) -> Due | None:
    """The deadline in a sentence, or the day on which somebody will do it; None when none is said."""
    flat = half_width(text)
    meeting = _MEETING.search(flat)
    if meeting and not _day_inside(meeting, find_dates(text, base)):
        return _until_meeting(text, meeting, base, next_meeting)
    found = [d for m in find_dates(text, base) if (d := _due(flat, m, base)) is not None]
    firm = [d for d in found if d.firm]
    return next(iter(firm or found), None)


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
    mark = _AFTER.match(after)
    before = _BEFORE.search(flat[: mention.start])
    exact = mention.issue != "period" or (mark and re.match("中|のうち|いっぱい|以内", mark["mark"]))
    english = mention.text.isascii()
    firm = bool(mark or before or mention.issue in ("vague",) or re.search(r"中$|以内$|いっぱい$|末$", mention.text))
    if not firm and (_LINKED.match(after) or mention.issue in ("recurring",)):
        return None
    if not firm and mention.first != mention.day and not english:
        return None
    if mention.issue == "recurring" or (mention.day and base and mention.day < base and not firm):
        return None
    words = flat[before.start() if before and english else mention.start : mention.end + (mark.end() if mark else 0)]
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
    at = flat.find(half_width(due.text))
    if at < 0:
        return text
    rest = text[:at].rstrip("、, ") + ("、" if text[:at].endswith("、") and text[at + len(due.text) :] else "")
    tail = re.sub(r"^(?:に|は|で(?!す))?[、,]?\s?", "", text[at + len(due.text) :])
    joint = " " if rest[-1:].isascii() and rest and tail[:1].isascii() and tail and tail[0].isalnum() else ""
    return rest + joint + tail
