"""What people change in a transcript and its minutes, applied over the results. Pure: data in, data out.

Operations: ``line`` (text, speaker of a segment) · ``speaker`` (name of a speaker id) · ``item`` (fields of an item) ·
``confirm`` · ``add`` · ``remove`` (items) · ``meeting`` (title, date, participants) · ``regenerated`` (the minutes were
made anew: earlier changes of items no longer apply, those of the transcript do).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from apps.common.editlog import Edit
from apps.common.provenance import Check, Origin
from apps.minutes.model import ActionItem, Item, Minutes, Segment, Statement, Transcript

SECTIONS = ("decisions", "actions", "open_questions", "dissent")
_ITEM_OPS = ("item", "confirm", "add", "remove")
_AUTOMATIC = re.compile(r"(?:話者|Speaker )\d+")


@dataclass(frozen=True)
class Confirmation:
    by: str
    at: str


@dataclass
class View:
    """What the page shows and the documents hold. ``confirmed``: item id → who confirmed it and when."""

    transcript: Transcript
    minutes: Minutes | None
    confirmed: dict[str, Confirmation] = field(default_factory=dict)
    edited: bool = False


def items_of(minutes: Minutes) -> Iterator[Item]:
    """Every checked item, wherever it stands."""
    yield from minutes.decisions
    yield from minutes.actions
    yield from minutes.open_questions
    yield from minutes.dissent
    if minutes.next_meeting:
        yield minutes.next_meeting
    for topic in minutes.topics:
        yield from topic.points


def with_ids(minutes: Minutes) -> Minutes:
    """The minutes with an id on every item: edits name items by it."""
    copy = minutes.model_copy(deep=True)
    for section in SECTIONS:
        for number, item in enumerate(getattr(copy, section), 1):
            item.id = item.id or f"{section}-{number}"
    if copy.next_meeting:
        copy.next_meeting.id = copy.next_meeting.id or "next_meeting"
    for number, topic in enumerate(copy.topics, 1):
        topic.id = topic.id or f"topic-{number}"
        for place, point in enumerate(topic.points, 1):
            point.id = point.id or f"{topic.id}-{place}"
    return copy


def apply(transcript: Transcript, minutes: Minutes | None, edits: Sequence[Edit]) -> View:
    """The results as people have left them. Edits of things that are no longer there are passed over."""
    view = View(transcript.model_copy(deep=True), with_ids(minutes) if minutes else None, edited=bool(edits))
    last_run = max((i for i, edit in enumerate(edits) if edit.op == "regenerated"), default=-1)
    for number, edit in enumerate(edits):
        if edit.op in _ITEM_OPS and number < last_run:
            continue
        _APPLY.get(edit.op, _ignore)(view, edit)
    return view


def restore_confirmations(view: View) -> None:
    """After the checks ran again: what a person has confirmed since its last change stays confirmed."""
    for item in items_of(view.minutes) if view.minutes else ():
        if item.id in view.confirmed:
            item.check = Check(status="supported")


def _ignore(view: View, edit: Edit) -> None:
    """Marks in the log that change nothing themselves."""


def _segment(view: View, segment_id: str) -> Segment | None:
    return next((s for s in view.transcript.segments if s.id == segment_id), None)


def _line(view: View, edit: Edit) -> None:
    segment = _segment(view, edit.target)
    if segment is None:
        return
    text = edit.values.get("text")
    if text is not None and text != segment.text:
        segment.original = segment.original or segment.text
        segment.text = text
        if "edited" not in segment.marks:
            segment.marks.append("edited")
    if speaker := edit.values.get("speaker"):
        segment.speaker = speaker
        segment.speaker_id = _speaker_id(view.transcript, speaker)
    _unconfirm_citing(view, segment.id)


def _speaker_id(transcript: Transcript, name: str) -> str:
    """The id of a speaker by name; a new one for a new name."""
    for known, its_name in transcript.speakers.items():
        if its_name == name:
            return known
    new = f"P{len(transcript.speakers) + 1}"
    transcript.speakers[new] = name
    return new


def _speaker(view: View, edit: Edit) -> None:
    """A name is a mapping: it changes in every line, in owners, and where the text says 話者1."""
    new = str(edit.values["name"])
    old = view.transcript.speakers.get(edit.target, "")
    view.transcript.speakers[edit.target] = new
    for segment in view.transcript.segments:
        if segment.speaker_id == edit.target or (segment.speaker_id is None and segment.speaker == edit.target):
            old = old or segment.speaker
            segment.speaker = new
    if view.minutes and old:
        _rename_in_minutes(view.minutes, old, new)


def _rename_in_minutes(minutes: Minutes, old: str, new: str) -> None:
    people = minutes.meeting.participants
    minutes.meeting.participants = list(dict.fromkeys(new if name == old else name for name in people))
    for action in minutes.actions:
        action.owner = new if action.owner == old else action.owner
    if not _AUTOMATIC.fullmatch(old):
        return  # a real name may be part of another word; only our own labels are safe to replace in running text
    label = re.compile(re.escape(old) + r"(?!\d)")
    for item in items_of(minutes):
        if isinstance(item, ActionItem):
            item.task = label.sub(lambda _: new, item.task)
        elif isinstance(item, Statement):
            item.text = label.sub(lambda _: new, item.text)


def _unconfirm_citing(view: View, segment_id: str) -> None:
    for item in items_of(view.minutes) if view.minutes else ():
        if segment_id in item.evidence:
            view.confirmed.pop(item.id, None)


def _find(view: View, item_id: str) -> Item | None:
    return next((i for i in items_of(view.minutes) if i.id == item_id), None) if view.minutes else None


def _item(view: View, edit: Edit) -> None:
    item = _find(view, edit.target)
    if item is None:
        return
    for name, value in edit.values.items():
        if name in type(item).model_fields and name in ("text", "task", "owner", "due", "due_text"):
            setattr(item, name, value)
    item.origin = (item.origin or Origin(source="person")).model_copy(update={"source": "person"})
    view.confirmed.pop(item.id, None)


def _confirm(view: View, edit: Edit) -> None:
    if item := _find(view, edit.target):
        view.confirmed[item.id] = Confirmation(edit.by, edit.at)


def _add(view: View, edit: Edit) -> None:
    """A person's own item: theirs to answer for, so it counts as confirmed by them."""
    if view.minutes is None or edit.target not in SECTIONS:
        return
    section: list[Item] = getattr(view.minutes, edit.target)
    values = {k: v for k, v in edit.values.items() if k in ("text", "task", "owner", "due", "evidence")}
    model = ActionItem if edit.target == "actions" else Statement
    item = model(id=str(edit.values["id"]), origin=Origin(source="person"), **values)
    section.append(item)
    view.confirmed[item.id] = Confirmation(edit.by, edit.at)


def _remove(view: View, edit: Edit) -> None:
    if view.minutes is None:
        return
    for section in SECTIONS:
        kept = [item for item in getattr(view.minutes, section) if item.id != edit.target]
        setattr(view.minutes, section, kept)
    if view.minutes.next_meeting and view.minutes.next_meeting.id == edit.target:
        view.minutes.next_meeting = None
    for topic in view.minutes.topics:
        topic.points = [point for point in topic.points if point.id != edit.target]


def _meeting(view: View, edit: Edit) -> None:
    if view.minutes:
        for name in ("title", "date", "participants"):
            if name in edit.values:
                setattr(view.minutes.meeting, name, edit.values[name])


_APPLY = {
    "line": _line,
    "speaker": _speaker,
    "item": _item,
    "confirm": _confirm,
    "add": _add,
    "remove": _remove,
    "meeting": _meeting,
}
