"""Labelled briefs (``tuning/data/briefs``): reading."""

from __future__ import annotations

import re
from pathlib import Path

from apps.common.tagging.outline import Unit, outlined
from apps.proposals.brief.fields import concept_of
from tuning.tagging.texts import Labelled

FOLDER = Path(__file__).resolve().parents[1] / "data" / "briefs"
LETTERS = {
    "H": "heading", "C": "client", "F": "facts", "N": "needs", "P": "products", "T": "terms", "E": "effects",
    "K": "cost", "S": "schedule", "R": "risks", "X": "comparison", "A": "audience", "W": "request", "I": "internal",
    "G": "greeting", "B": "context",
}  # fmt: skip
_ROW = re.compile(r"^(?P<same>\+?)(?P<letter>[A-Z]) \| ?(?P<text>.*)$")


def load(folder: Path = FOLDER) -> list[Labelled]:
    """All briefs of a folder, in the order of their names. Raises ValueError naming file and line."""
    return [read(path) for path in sorted(folder.glob("*.txt"))]


def read(path: Path) -> Labelled:
    """One brief. Raises ValueError naming file and line."""
    units, labels = [], []
    for number, row in enumerate(path.read_text(encoding="utf-8").splitlines()[1:], 2):
        found = _ROW.match(row)
        if not found and row.strip():
            raise ValueError(f"{path.name}:{number}: not 'ROLE | text': {row[:60]}")
        if found:
            units.append(Unit(found["text"], bool(found["same"])))
            labels.append(LETTERS[found["letter"]])
    return Labelled(path.stem, tuple(outlined(units, concept_of)), tuple(labels))
