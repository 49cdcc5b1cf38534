"""Who is who: voice vectors into groups by average linkage (Lance and Williams 1967), with or without a known number.

Long stretches decide, short ones follow: a back-channel of half a second says little about a voice.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from apps.minutes.speech.encoder import Vectors

Labels = npt.NDArray[np.int64]

THRESHOLD: Final = 0.17  # cosine distance between groups above which they are different voices
FLOOR: Final = 0.06  # distance below which they are the same voice, even when more speakers are expected
LONG: Final = 1.5  # seconds a stretch must have to found a group
LIMIT: Final = 1500  # stretches compared with each other at once; the rest joins the nearest group
MIN_SHARE: Final = 0.02  # of the speech: a smaller group joins its nearest


def cluster(vectors: Vectors, seconds: npt.NDArray[np.float64], count: int | None = None) -> Labels:
    """A group number for each vector, 0 … k-1 by first appearance. ``count`` is the number of speakers
    expected; fewer are found when some never speak.

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
    """Merge the two nearest groups (mean cosine distance, weighted by length) until ``count`` or the threshold."""
    number = len(vectors)
    distance = (1 - vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(distance, np.inf)
    weight, labels = seconds.astype(np.float64).copy(), np.arange(number)
    for left in range(number, 1, -1):
        one, two = divmod(int(np.argmin(distance)), number)
        if distance[one, two] > _stop(left, count):
            break
        merged = (weight[one] * distance[one] + weight[two] * distance[two]) / (weight[one] + weight[two])
        distance[one], distance[:, one] = merged, merged
        distance[two], distance[:, two] = np.inf, np.inf
        distance[one, one] = np.inf
        weight[one] += weight[two]
        labels[labels == two] = one
    return by_appearance(labels)


def _stop(left: int, count: int | None) -> float:
    """The distance at which merging ends, with ``left`` groups left."""
    if count is None:
        return THRESHOLD
    return np.inf if left > count else FLOOR


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
