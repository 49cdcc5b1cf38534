"""Who is who: voice vectors into groups by average linkage (Lance and Williams 1967), at most as many as may speak.

Long stretches decide, short ones follow: a back-channel of half a second says little about a voice.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from apps.minutes.speech.encoder import Vectors

Labels = npt.NDArray[np.int64]

FLOOR: Final = 0.06  # cosine distance between groups below which they are always the same voice
STRAY: Final = 0.22  # distance up to which a group of little speech belongs to its neighbour
SPREAD: Final = 1.47  # how much farther apart than within themselves two groups of one voice may lie
LITTLE: Final = 0.06  # share of the speech, and FEW stretches, under which a group says too little about its voice
FEW: Final = 3
LONG: Final = 1.5  # seconds a stretch must have to found a group
LIMIT: Final = 1500  # stretches compared with each other at once; the rest joins the nearest group
MIN_SHARE: Final = 0.02  # of the speech: a smaller group joins its nearest when the number of speakers is not known


def cluster(vectors: Vectors, seconds: npt.NDArray[np.float64], count: int | None = None) -> Labels:
    """A group number for each vector, 0 … k-1 by first appearance.

    ``count`` is the largest number of speakers possible, such as that of the participants: some may never speak.
    ``seconds`` is the length of the stretch behind each vector.
    """
    if not len(vectors):
        return np.zeros(0, np.int64)
    founders = _founders(seconds)
    labels = agglomerate(vectors[founders], seconds[founders], count)
    centres = _centres(vectors[founders], seconds[founders], labels)
    centres = _without_small(centres, vectors, seconds, count)
    return by_appearance(np.argmax(vectors @ centres.T, axis=1))


def _founders(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The stretches that decide: the long ones (all if none is), thinned out at random, always the same."""
    found = np.flatnonzero(seconds >= LONG)
    if not len(found):
        found = np.arange(len(seconds))
    if len(found) > LIMIT:
        found = np.sort(np.random.default_rng(0).choice(found, LIMIT, replace=False))  # regular steps may follow turns
    return found


def agglomerate(vectors: Vectors, seconds: npt.NDArray[np.float64], count: int | None) -> Labels:
    """Merge the two nearest groups (mean cosine distance, weighted by length) while they sound like one voice.

    If more than ``count`` groups are left, the nearest are merged all the same.
    """
    groups = _Groups(vectors, seconds)
    while groups.left > 1 and groups.nearest(groups.open) is not None:
        one, two = groups.pair
        if groups.one_voice(one, two):
            groups.merge(one, two)
        else:
            groups.open[[one, two], [two, one]] = np.inf
    while count is not None and groups.left > max(count, 1) and groups.nearest(groups.distance) is not None:
        groups.merge(*groups.pair)
    return by_appearance(groups.labels)


class _Groups:
    """Groups of stretches while they are merged. ``open``: distances of the pairs not yet found to be two voices."""

    def __init__(self, vectors: Vectors, seconds: npt.NDArray[np.float64]) -> None:
        self.left = len(vectors)
        self.labels = np.arange(self.left)
        self.distance = (1 - vectors @ vectors.T).astype(np.float64)
        np.fill_diagonal(self.distance, np.inf)
        self.open = self.distance.copy()
        self.pair = (0, 0)
        self._weight = seconds.astype(np.float64).copy()
        self._number = np.ones(self.left, np.int64)
        self._total = max(float(seconds.sum()), 1e-9)
        self._inner = np.zeros((2, self.left))  # per group: weighted distances between its stretches, their weights

    def nearest(self, distance: npt.NDArray[np.float64]) -> tuple[int, int] | None:
        """Sets ``pair`` to the nearest two groups; None when no pair is left."""
        one, two = divmod(int(np.argmin(distance)), len(distance))
        self.pair = (one, two)
        return self.pair if np.isfinite(distance[one, two]) else None

    def one_voice(self, one: int, two: int) -> bool:
        """Whether two groups differ no more than the stretches of one voice do.

        Measured on four recordings: parts of one voice lie up to 1.40 times as far apart as the stretches within
        them, two voices 1.54 times and more, also where a fixed distance would take two voices for one.
        """
        distance = self.distance[one, two]
        if distance <= FLOOR:
            return True
        pair = [one, two]
        if self._weight[pair].min() < LITTLE * self._total or self._number[pair].min() < FEW:
            return bool(distance <= STRAY)
        return bool(distance <= SPREAD * (self._inner[0, pair] / self._inner[1, pair]).mean())

    def merge(self, one: int, two: int) -> None:
        first, second = self._weight[one], self._weight[two]
        between = np.array([self.distance[one, two], 1.0]) * first * second
        self._inner[:, one] += self._inner[:, two] + between
        for matrix in (self.distance, self.open):
            merged = (first * matrix[one] + second * matrix[two]) / (first + second)
            matrix[one], matrix[:, one] = merged, merged
            matrix[two], matrix[:, two] = np.inf, np.inf
            matrix[one, one] = np.inf
        self._weight[one] += second
        self._number[one] += self._number[two]
        self.labels[self.labels == two] = one
        self.left -= 1


def _centres(vectors: Vectors, seconds: npt.NDArray[np.float64], labels: Labels) -> Vectors:
    """Unit mean vector of each group."""
    sums = np.stack([(vectors[labels == k] * seconds[labels == k, None]).sum(axis=0) for k in range(labels.max() + 1)])
    unit: Vectors = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return unit


def _without_small(centres: Vectors, vectors: Vectors, seconds: npt.NDArray[np.float64], count: int | None) -> Vectors:
    """Drop groups that nearly nobody belongs to (coughs, overlaps), unless the number of speakers is known."""
    if count is not None or len(centres) < 2:
        return centres
    labels = np.argmax(vectors @ centres.T, axis=1)
    shares = np.bincount(labels, weights=seconds, minlength=len(centres)) / max(seconds.sum(), 1e-9)
    kept: Vectors = centres[shares >= MIN_SHARE]
    return kept if len(kept) else centres


def by_appearance(labels: npt.NDArray[np.int64]) -> Labels:
    """Renumber so that the first voice heard is 0, the next new one 1 …"""
    order: dict[int, int] = {}
    return np.array([order.setdefault(int(label), len(order)) for label in labels], np.int64)
