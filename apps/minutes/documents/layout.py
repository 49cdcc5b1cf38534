"""What stands in the document, in order, as plain blocks; Word and Markdown only write them down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from apps.minutes.documents.labels import LABELS, Language
from apps.minutes.model import ActionItem, Item, Minutes, Segment, Statement, Topic, Transcript

_WEEKDAYS = {"ja": "月火水木金土日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 1


@dataclass(frozen=True)
class Text:
    """A paragraph. ``quiet`` is set small and grey; ``alert`` marks what needs review."""

    text: str
    quiet: bool = False
    alert: bool = False


@dataclass(frozen=True)
class Bullet:
    text: str
    source: str = ""
    review: str = ""


@dataclass(frozen=True)
class Cell:
    text: str
    review: str = ""


@dataclass(frozen=True)
class Grid:
    """A table. ``widths`` are shares of the line; without ``head`` the first column holds the names of the rows."""

    rows: list[list[Cell]]
    widths: tuple[float, ...]
    head: list[str] = field(default_factory=list)


Block = Heading | Text | Bullet | Grid


def clock(seconds: float) -> str:
    """``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def day(iso: str | None, language: Language) -> str:
    """2026年11月24日(火) / 24 Nov 2026 (Tue); what is no ISO date stays as it is."""
    if not iso:
        return ""
    try:
        found = date.fromisoformat(iso)
    except ValueError:
        return iso
    weekday = _WEEKDAYS[language][found.weekday()]
    if language == "ja":
        return f"{found.year}年{found.month}月{found.day}日({weekday})"
    return f"{found.day} {found:%b} {found.year} ({weekday})"


class Layout:
    """Builds the blocks of one document."""

    def __init__(self, minutes: Minutes, transcript: Transcript, language: Language) -> None:
        self.minutes, self.language = minutes, language
        self.words = LABELS[language]
        self._segments = {s.id: s for s in transcript.segments}
        self._duration = max((s.end for s in transcript.segments), default=0.0)

    def title(self) -> str:
        return self.minutes.meeting.title or self.words["document"]

    def blocks(self) -> Iterator[Block]:
        """The whole document: head, sections, what to review, origin."""
        yield self._head()
        yield Text(self.words["draft"], quiet=True)
        yield from self._agenda()
        yield from self._statements("decisions", self.minutes.decisions)
        if self.minutes.dissent:
            yield from self._statements("dissent", self.minutes.dissent)
        yield from self._actions()
        yield from self._statements("questions", self.minutes.open_questions, stage="open_questions")
        yield from self._next()
        yield from self._points()
        yield from self._reviews()
        yield from self._origin()

    def _head(self) -> Grid:
        meeting, words = self.minutes.meeting, self.words
        rows = [
            (words["meeting"], meeting.title),
            (words["date"], day(meeting.date, self.language)),
            (words["participants"], words["sep"].join(meeting.participants)),
            (words["recorded"], clock(self._duration) if self._duration else ""),
        ]
        return Grid([[Cell(name), Cell(value)] for name, value in rows if value], (0.18, 0.82))

    def _agenda(self) -> Iterator[Block]:
        yield Heading(self.words["topics"])
        yield from self._state("topics", bool(self.minutes.topics))
        for number, topic in enumerate(self.minutes.topics, 1):
            when = f" [{clock(topic.start)}]" if topic.start is not None else ""
            yield Text(f"{number}. {topic.title}{when}")

    def _statements(self, name: str, items: list[Statement], stage: str = "") -> Iterator[Block]:
        yield Heading(self.words[name])
        yield from self._state(stage or name, bool(items))
        if items:
            rows = [[Cell(str(n)), self._cell(i, i.text), Cell(self.source(i))] for n, i in enumerate(items, 1)]
            yield Grid(rows, (0.08, 0.66, 0.26), self._names("number", "content", "evidence"))

    def _actions(self) -> Iterator[Block]:
        yield Heading(self.words["actions"])
        yield from self._state("actions", bool(self.minutes.actions))
        if self.minutes.actions:
            rows = [self._action(n, item) for n, item in enumerate(self.minutes.actions, 1)]
            head = self._names("number", "task", "owner", "due", "evidence")
            yield Grid(rows, (0.07, 0.39, 0.13, 0.19, 0.22), head)

    def _action(self, number: int, item: ActionItem) -> list[Cell]:
        due = "\n".join(filter(None, (day(item.due, self.language), f"「{item.due_text}」" if item.due_text else "")))
        if self.language == "en" and item.due_text:
            due = "\n".join(filter(None, (day(item.due, "en"), f"“{item.due_text}”")))
        return [
            Cell(str(number)),
            self._cell(item, item.task),
            Cell(item.owner or self.words["unknown"]),
            Cell(due or self.words["unknown"]),
            Cell(self.source(item)),
        ]

    def _next(self) -> Iterator[Block]:
        """When the next meeting is: the day by code, and the words of the meeting."""
        item = self.minutes.next_meeting
        if item is not None:
            yield Heading(self.words["next_meeting"])
            when = day(item.date, self.language)
            yield Bullet(self.words["colon"].join(filter(None, (when, item.text))), self.source(item), self._review(item))

    def _points(self) -> Iterator[Block]:
        topics = [t for t in self.minutes.topics if t.points]
        if topics:
            yield Heading(self.words["points"])
        for topic in topics:
            yield Heading(topic.title, 2)
            yield from (Bullet(p.text, self.source(p), self._review(p)) for p in topic.points)

    def _state(self, stage: str, filled: bool) -> Iterator[Block]:
        """Say apart: nothing found, failed, not run, and what rules alone could make."""
        state = self.minutes.stages.get(stage, "done" if filled else "none")
        if state in ("failed", "not_run"):
            yield Text(self.words["rules_only" if filled else state], alert=True)
        elif not filled:
            yield Text(self.words["none"], quiet=True)

    def _reviews(self) -> Iterator[Block]:
        items = [(text, item) for text, item in self._all_items() if item.check.status == "needs_review"]
        if items:
            yield Heading(self.words["open"])
        for text, item in items:
            yield Bullet(text, self.source(item), self._review(item))

    def _all_items(self) -> Iterator[tuple[str, Item]]:
        yield from ((i.text, i) for i in self.minutes.decisions)
        yield from ((i.task, i) for i in self.minutes.actions)
        yield from ((i.text, i) for i in self.minutes.open_questions)
        yield from ((i.text, i) for i in self.minutes.dissent)
        yield from ((i.text, i) for i in (self.minutes.next_meeting,) if i)
        yield from ((p.text, p) for t in self.minutes.topics for p in t.points)

    def _origin(self) -> Iterator[Block]:
        origins = [i.origin for _, i in self._all_items() if i.origin]
        rows = {
            "model": sorted({o.model for o in origins if o.model}),
            "prompts": sorted({o.prompt for o in origins if o.prompt}),
            "policy": sorted({o.policy for o in origins if o.policy}),
        }
        cells = [[Cell(self.words[n]), Cell(self.words["sep"].join(v))] for n, v in rows.items() if v]
        requests = {r for o in origins for r in o.request_ids}
        if requests:
            cells.append([Cell(self.words["requests"]), Cell(str(len(requests)))])
        if cells:
            yield Heading(self.words["origin"])
            yield Grid(cells, (0.18, 0.82))

    def source(self, item: Item | Topic) -> str:
        """``[1:23 田中] [2:01 鈴木]``: where the item rests on; the first three places."""
        found = [self._segments[i] for i in item.evidence if i in self._segments]
        return " ".join(f"[{clock(s.start)} {_short(s)}]" for s in found[:3])

    def _cell(self, item: Item, text: str) -> Cell:
        return Cell(text, self._review(item))

    def _review(self, item: Item) -> str:
        if item.check.status == "supported":
            return ""
        reasons = self.words["sep"].join(item.check.reasons)
        return f"{self.words['review']}{self.words['colon']}{reasons}" if reasons else self.words["review"]

    def _names(self, *names: str) -> list[str]:
        return [self.words[name] for name in names]


def _short(segment: Segment) -> str:
    return segment.speaker or "?"
