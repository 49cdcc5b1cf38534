"""A trained tagger: weights from a file, two passes over a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.common.tagging.features import Line, features

AROUND = (-4, -3, -2, -1, 0, 1, 2, 3, 4)  # lines whose first opinion the second pass sees
FAINT = 0.05  # a weight below it moves no decision; leaving it out halves the file

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Tagger:
    """``first``: features × labels. ``second``: the same, for the second pass; ``context``: (places · labels · 2) × labels."""

    labels: tuple[str, ...]
    first: Matrix
    second: Matrix
    context: Matrix

    @classmethod
    def load(cls, path: Path) -> Tagger:
        """Raises FileNotFoundError."""
        with np.load(path) as kept:
            labels = tuple(str(label) for label in kept["labels"])
            return cls(labels, *(kept[name].astype(np.float32) for name in ("first", "second", "context")))

    def save(self, path: Path) -> None:
        """Half precision, compressed, without the weights that are next to nothing."""
        kept = {name: getattr(self, name) for name in ("first", "second", "context")}
        weights = {name: np.where(np.abs(w) < FAINT, 0, w).astype(np.float16) for name, w in kept.items()}
        np.savez_compressed(path, allow_pickle=False, labels=np.array(self.labels), **weights)

    def tag(self, lines: Sequence[Line], names: Iterable[str] = ()) -> list[dict[str, float]]:
        """For each line the probability of each label; they sum to 1. ``names``: see ``features``."""
        if not lines:
            return []
        found = features(lines, names)
        opinion = probabilities(scores(self.first, found))
        final = scores(self.second, found) + around(opinion, lines) @ self.context
        return [dict(zip(self.labels, map(float, row), strict=True)) for row in probabilities(final)]


def scores(weights: Matrix, found: Sequence[Sequence[int]]) -> Matrix:
    """Sum of the weights of each line's features, over the root of their number."""
    return np.stack([weights[list(ids)].sum(axis=0) / np.sqrt(len(ids)) for ids in found])


def probabilities(raw: Matrix) -> Matrix:
    """Softmax over the last axis."""
    grown = np.exp(raw - raw.max(axis=1, keepdims=True))
    soft: Matrix = grown / grown.sum(axis=1, keepdims=True)
    return soft


def around(opinion: Matrix, lines: Sequence[Line]) -> Matrix:
    """The opinions on the lines near each line, in one block of columns where the group is the same, else in another."""
    count, labels = opinion.shape
    table = np.zeros((count, len(AROUND), 2, labels), dtype=np.float32)
    for place, step in enumerate(AROUND):
        for index in range(max(0, -step), min(count, count - step)):
            same = int(lines[index].group == lines[index + step].group)
            table[index, place, same] = opinion[index + step]
    return table.reshape(count, -1)
