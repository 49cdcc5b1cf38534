"""Labelled meetings (``tuning/data/meetings``): reading, and what is wrong with a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from apps.common.japanese.normalise import is_japanese
from apps.common.tagging import Line
from apps.minutes.text.cues import cues
from apps.minutes.text.moves import acts
from apps.minutes.text.tags import line
from tuning.tagging.texts import Labelled

FOLDER = Path(__file__).resolve().parents[1] / "data" / "meetings"
LETTERS = {
    "D": "decide", "P": "propose", "A": "agree", "N": "reject", "R": "request", "C": "commit", "O": "open",
    "X": "dissent", "Q": "question", "I": "inform", "M": "meta",
}  # fmt: skip
_HEAD = re.compile(
    r"^# title: (?P<title>.+?) \| date: (?P<date>\S+) \| language: (?P<language>ja|en) \| participants: (?P<people>.+)$"
)


@dataclass(frozen=True)
class Spoken:
    """One labelled line; ``items`` are the reference items it belongs to (d1, a2 …)."""

    line: Line
    act: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """An item that the minutes must hold. ``owner`` and ``due`` (ISO date) for tasks, ``owner`` also for dissent."""

    id: str
    text: str
    owner: str = ""
    due: str = ""


@dataclass(frozen=True)
class Meeting:
    """A meeting with an act for every line."""

    name: str
    title: str
    date: str
    language: str
    participants: tuple[str, ...]
    spoken: tuple[Spoken, ...]
    references: tuple[Reference, ...]

    def labelled(self) -> Labelled:
        """For the trainer, with the cues of the rules as the app gives them."""
        names = dict.fromkeys([*self.participants, *(s.line.group for s in self.spoken)])
        lines = tuple(line(s.line.text, s.line.group, _cues(s.line.text)) for s in self.spoken)
        return Labelled(self.name, lines, tuple(s.act for s in self.spoken), tuple(names))


def _cues(text: str) -> frozenset[str]:
    return acts(text, cues("ja" if is_japanese(text) else "en"))


def read(path: Path) -> Meeting:
    """A file as a meeting. Raises ValueError naming file and line."""
    rows = [(n, row.strip()) for n, row in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if row.strip()]
    head = _HEAD.match(rows[0][1]) if rows else None
    if head is None:
        raise ValueError(f"{path.name}: the first line is not '# title: … | date: … | language: … | participants: …'")
    date.fromisoformat(head["date"])
    people = tuple(p.strip() for p in re.split(r"[,、]", head["people"]))
    spoken, references = [], []
    for number, row in rows[1:]:
        fields = [f.strip() for f in row.lstrip("= ").split("|")]
        try:
            if row.startswith("="):
                references.append(_reference(fields))
            else:
                spoken.append(_spoken(fields))
        except (ValueError, KeyError) as error:
            raise ValueError(f"{path.name}:{number}: {error}: {row[:60]}") from error
    return Meeting(path.stem, head["title"], head["date"], head["language"], people, tuple(spoken), tuple(references))


def _spoken(fields: list[str]) -> Spoken:
    speaker, letter, items, text = fields
    return Spoken(Line(text, speaker), LETTERS[letter], tuple(items.split()))


def _reference(fields: list[str]) -> Reference:
    name = fields[0]
    if name.startswith("a"):
        _, owner, due, text = fields
        return Reference(name, text, owner, "" if due == "-" else date.fromisoformat(due).isoformat())
    if name.startswith("x"):
        _, owner, text = fields
        return Reference(name, text, owner)
    _, text = fields
    return Reference(name, text)


def problems(meeting: Meeting) -> list[str]:
    """Items without a line, lines of unknown items."""
    said = {item for s in meeting.spoken for item in s.items}
    known = {r.id for r in meeting.references}
    return [f"{meeting.name}: no line for {i}" for i in sorted(known - said)] + [
        f"{meeting.name}: no reference for {i}" for i in sorted(said - known)
    ]


def load(folder: Path = FOLDER) -> list[Meeting]:
    """All meetings of a folder, in the order of their names."""
    return [read(path) for path in sorted(folder.glob("*.txt"))]
