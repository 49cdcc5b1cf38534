"""The trained tagger: weights from a file, two passes over the conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tuning.acts.features import Line, features

Act = Literal[
    "decide", "propose", "agree", "reject", "request", "commit", "open", "dissent", "question", "inform", "meta"
]
ACTS: tuple[Act, ...] = get_args(Act)
AROUND = (-4, -3, -2, -1, 0, 1, 2, 3, 4)  # lines whose first opinion the second pass sees
WEIGHTS = Path(__file__).with_name("weights.npz")

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Tagger:
    """``first``: features × acts. ``second``: the same, for the second pass; ``context``: (places · acts · 2) × acts."""

    first: Matrix
    second: Matrix
    context: Matrix

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Tagger:
        with np.load(path) as kept:
            return cls(*(kept[name].astype(np.float32) for name in ("first", "second", "context")))

    def tag(self, lines: Sequence[Line], names: Iterable[str] = ()) -> list[dict[Act, float]]:
        """For each line the probability of each act; they sum to 1. ``names``: of the participants."""
        if not lines:
            return []
        found = features(lines, names)
        opinion = probabilities(scores(self.first, found))
        final = scores(self.second, found) + around(opinion, lines) @ self.context
        return [dict(zip(ACTS, map(float, row), strict=True)) for row in probabilities(final)]


def scores(weights: Matrix, found: Sequence[Sequence[int]]) -> Matrix:
    """Sum of the weights of each line's features, over the root of their number."""
    return np.stack([weights[list(ids)].sum(axis=0) / np.sqrt(len(ids)) for ids in found])


def probabilities(raw: Matrix) -> Matrix:
    """Softmax over the last axis."""
    grown = np.exp(raw - raw.max(axis=1, keepdims=True))
    soft: Matrix = grown / grown.sum(axis=1, keepdims=True)
    return soft


def around(opinion: Matrix, lines: Sequence[Line]) -> Matrix:
    """The opinions on the lines near each line, in one column block where the speaker is the same, else in another."""
    count, acts = opinion.shape
    table = np.zeros((count, len(AROUND), 2, acts), dtype=np.float32)
    for place, step in enumerate(AROUND):
        for index in range(max(0, -step), min(count, count - step)):
            same = int(lines[index].speaker == lines[index + step].speaker)
            table[index, place, same] = opinion[index + step]
    return table.reshape(count, -1)


@lru_cache(maxsize=1)
def tagger() -> Tagger:
    """The tagger that ships with the app."""
    return Tagger.load()
