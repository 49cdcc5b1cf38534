"""Minutes for other programs: WebVTT (W3C), the tasks as CSV (RFC 4180) and as iCalendar (RFC 5545). Pure."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime

from apps.minutes.documents.labels import LABELS, Language
from apps.minutes.documents.layout import Layout
from apps.minutes.export_srt import timestamp
from apps.minutes.model import Minutes, Transcript

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_FOLD = 75  # octets of a line in iCalendar, without its line break
_UID_CHARS = 32


def to_vtt(transcript: Transcript) -> str:
    """WebVTT with one cue per segment and its speaker as voice; empty segments are left out."""
    cues = ["WEBVTT\n"]
    for segment in transcript.segments:
        if segment.text.strip():
            start, end = (
                timestamp(t).replace(",", ".") for t in (segment.start, max(segment.end, segment.start + 0.001))
            )
            words = _markup_free(" ".join(segment.text.split()))
            cues.append(f"{segment.id}\n{start} --> {end}\n<v {_markup_free(segment.speaker)}>{words}</v>\n")
    return "\n".join(cues)


def _markup_free(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def to_csv(minutes: Minutes, transcript: Transcript, language: Language) -> bytes:
    """The tasks, one row each, for Excel: UTF-8 with a byte order mark. What a spreadsheet would take for a formula
    (OWASP: CSV injection) gets an apostrophe before it."""
    words, layout, out = LABELS[language], Layout(minutes, transcript, language), io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(
        [words[name] for name in ("number", "task", "owner", "due", "evidence", "check", "meeting", "date")]
    )
    for number, item in enumerate(minutes.actions, 1):
        due = item.due or item.due_text or ""
        check = words["review" if item.check.status == "needs_review" else "supported"]
        row = [
            item.task,
            item.owner or "",
            due,
            layout.source(item),
            check,
            minutes.meeting.title,
            minutes.meeting.date or "",
        ]
        writer.writerow([str(number), *(_no_formula(cell) for cell in row)])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def to_ics(minutes: Minutes, language: Language, *, now: datetime | None = None) -> str:
    """The tasks as to-dos with their due dates, and the next meeting as an event where its day is known.

    An entry keeps its UID as long as its task keeps its words, so that a second import changes nothing.
    """
    stamp = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Kakehashi//Minutes//EN"]
    for item in minutes.actions:
        owner = (f"（{item.owner}）" if language == "ja" else f" ({item.owner})") if item.owner else ""
        due = [f"DUE;VALUE=DATE:{item.due.replace('-', '')}"] if item.due else []
        lines += _entry("VTODO", minutes, item.task, stamp, item.task + owner, [*due, "STATUS:NEEDS-ACTION"])
    coming = minutes.next_meeting
    if coming is not None and coming.date:
        title = f"{LABELS[language]['next_meeting']}{LABELS[language]['colon']}{minutes.meeting.title}"
        day = [f"DTSTART;VALUE=DATE:{coming.date.replace('-', '')}", f"DESCRIPTION:{_escaped(coming.text)}"]
        lines += _entry("VEVENT", minutes, f"next {coming.date}", stamp, title, day)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _entry(kind: str, minutes: Minutes, identity: str, stamp: str, summary: str, more: list[str]) -> list[str]:
    of = "\0".join((minutes.meeting.title, minutes.meeting.date or "", identity))
    uid = hashlib.sha256(of.encode()).hexdigest()[:_UID_CHARS]
    head = [f"BEGIN:{kind}", f"UID:{uid}@kakehashi", f"DTSTAMP:{stamp}", f"SUMMARY:{_escaped(summary)}"]
    return [*head, *more, f"END:{kind}"]


def _escaped(text: str) -> str:
    for mark in "\\;,":
        text = text.replace(mark, f"\\{mark}")
    return "\\n".join(text.splitlines())


def _folded(line: str) -> Iterator[str]:
    """A content line in pieces of at most 75 octets, never cut inside a character (RFC 5545, 3.1)."""
    piece, size = "", 0
    for char in line:
        octets = len(char.encode())
        if size + octets > _FOLD:
            yield piece
            piece, size = " ", 1
        piece, size = piece + char, size + octets
    yield piece
