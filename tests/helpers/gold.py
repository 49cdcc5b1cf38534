"""Written meetings with references (``tests/data/minutes``): loading them as transcripts and scoring minutes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from apps.common.japanese.normalise import fold
from apps.minutes.model import ActionItem, Meeting, Minutes, Segment, Statement, Transcript
from kakehashi.paths import CHECKOUT

GOLD = CHECKOUT / "tests" / "data" / "minutes"
_LINE = re.compile(r"^(?P<speaker>\S+?)(?: #(?P<id>\w+))?: (?P<text>.*)$", re.DOTALL)


@dataclass(frozen=True)
class Gold:
    """A meeting as written. ``ids``: segment id → name of the line; ``voices``: name → anonymous label."""

    name: str
    reference: dict[str, Any]
    transcript: Transcript
    meeting: Meeting
    ids: dict[str, str]
    voices: dict[str, str] = field(default_factory=dict)


def meetings(part: str) -> list[Path]:
    """The files of ``dev`` or ``heldout``: the written meetings, and those that also exist as recordings."""
    spoken = sorted((CHECKOUT / "tests" / "data" / "audio" / part).glob("*.yaml"))
    return sorted((GOLD / part).glob("*.yaml")) + spoken


def load(path: Path, *, anonymous: bool = False) -> Gold:
    """A written meeting as a transcript; ``anonymous``: speakers are 話者1 …, as from a recording."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    english = data["language"] == "en"
    lines = [m for line in data["lines"] if (m := line if isinstance(line, dict) else _LINE.match(line))]
    names = list(dict.fromkeys(m["speaker"] for m in lines))
    labels = {n: f"{'Speaker ' if english else '話者'}{i}" for i, n in enumerate(names, 1)}
    segments, clock, ids = [], 0.0, {}
    for number, line in enumerate(lines, 1):
        length = len(line["text"]) / (15 if english else 7)
        name = line["speaker"]
        segment = Segment(
            id=f"s{number:04d}",
            start=round(clock, 2),
            end=round(clock + length, 2),
            speaker=labels[name] if anonymous else name,
            text=line["text"],
            speaker_id=f"S{names.index(name) + 1}",
        )
        segments.append(segment)
        ids[segment.id] = (line.get("id") if isinstance(line, dict) else line["id"]) or segment.id
        clock += length + 0.4
    meeting = Meeting(title=data["title"], date=str(data["date"]), participants=data["participants"])
    return Gold(path.stem, data, Transcript(language=data["language"], segments=segments), meeting, ids, labels)


@dataclass
class Score:
    """Counts over one or many meetings."""

    expected: int = 0
    found: int = 0
    right: int = 0
    optional: int = 0
    owners: int = 0
    dues: int = 0
    complete: int = 0
    evidence: int = 0
    review: int = 0
    lines: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / (self.found - self.optional) if self.found > self.optional else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.expected if self.expected else 1.0

    def add(self, other: Score) -> None:
        for name in ("expected", "found", "right", "optional", "owners", "dues", "complete", "evidence", "review"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.lines += other.lines


def similar(left: str, right: str) -> float:
    """Share of the shorter text's character pairs that the other has."""
    a, b = (fold(t) for t in (left, right))
    pairs = [{t[i : i + 2] for i in range(len(t) - 1)} for t in (a, b)]
    return len(pairs[0] & pairs[1]) / max(1, min(map(len, pairs)))


def score(gold: Gold, minutes: Minutes, section: str) -> Score:
    """An item is right when it cites a line of a reference item not yet found, in similar words.

    A second item on a reference already found (one reference told as two) counts neither as right nor as wrong.
    """
    items: Sequence[Statement | ActionItem] = getattr(minutes, section)
    wanted = list(gold.reference.get(section, []))
    taken: list[dict[str, Any]] = []
    extra = [line for item in gold.reference.get("optional", []) for line in item["lines"]]
    result = Score(expected=len(wanted), found=len(items))
    for item in items:
        text = item.task if isinstance(item, ActionItem) else item.text
        cited = {gold.ids[i] for i in item.evidence}
        result.review += item.check.status == "needs_review"
        match = _best(wanted, cited, text)
        if match is None:
            result.optional += bool(cited & set(extra)) or _best(taken, cited, text) is not None
            result.lines.append(f"{gold.name} {section} + {text} {sorted(cited)}")
            continue
        wanted.remove(match)
        taken.append(match)
        result.right += 1
        result.evidence += cited & set(match["lines"]) == cited
        if isinstance(item, ActionItem):
            _action(result, gold, item, match)
    result.lines += [f"{gold.name} {section} − {w.get('task') or w['text']}" for w in wanted]
    return result


def _best(wanted: Sequence[dict[str, Any]], cited: set[str], text: str) -> dict[str, Any] | None:
    near = [w for w in wanted if cited & set(w["lines"])]
    ranked = sorted(near, key=lambda w: similar(text, w.get("task") or w["text"]), reverse=True)
    return ranked[0] if ranked and similar(text, ranked[0].get("task") or ranked[0]["text"]) >= 0.2 else None


def _action(result: Score, gold: Gold, item: ActionItem, match: dict[str, Any]) -> None:
    owner = item.owner in (match["owner"], gold.voices.get(match["owner"]))
    wanted = {str(match["due"])} | {str(d) for d in match.get("due_any", [])}
    due = str(item.due) in wanted
    result.owners, result.dues, result.complete = (
        result.owners + owner,
        result.dues + due,
        result.complete + (owner and due),
    )
    if not (owner and due):
        result.lines.append(
            f"{gold.name} actions ≠ {item.task}: {item.owner} {item.due} for {match['owner']} {match['due']}"
        )
