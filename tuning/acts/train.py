"""Softmax regression over hashed features by mini-batch Adagrad, and the two passes of the tagger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuning.acts.features import BUCKETS, features
from tuning.acts.tagger import ACTS, AROUND, Matrix, Tagger, around, probabilities, scores
from tuning.acts.meetings import Labelled

EPOCHS, BATCH, RATE, DECAY, DROP = 24, 32, 0.5, 2e-5, 0.25
FOLDS = 5
BALANCE = 0.5  # 0: lines count the same; 1: acts count the same


def names(meeting: Labelled) -> list[str]:
    return [*meeting.participants, *{s.line.speaker for s in meeting.spoken}]


def train(meetings: Sequence[Labelled], seed: int = 0) -> Tagger:
    """A tagger from labelled meetings. The second pass learns from opinions of first passes that had not seen the
    meeting (``FOLDS``-fold), as it will be when it is used."""
    lines = [[s.line for s in m.spoken] for m in meetings]
    found = [features(group, names(m)) for group, m in zip(lines, meetings, strict=True)]
    wanted = [np.array([ACTS.index(s.act) for s in m.spoken]) for m in meetings]
    context = [np.empty(0)] * len(meetings)
    for fold in range(FOLDS):
        inside = [i for i in range(len(meetings)) if i % FOLDS != fold]
        first, _ = _fit([found[i] for i in inside], [wanted[i] for i in inside], None, seed)
        for i in range(fold, len(meetings), FOLDS):
            context[i] = around(probabilities(scores(first, found[i])), lines[i])
    first, _ = _fit(found, wanted, None, seed)
    second, near = _fit(found, wanted, context, seed)
    return Tagger(first, second, near)


def _fit(found: list, wanted: list, context: list | None, seed: int) -> tuple[Matrix, Matrix]:  # type: ignore[type-arg]
    """Weights of the features, and of the context where there is one."""
    draw = np.random.default_rng(seed)
    rows = [np.array(ids) for group in found for ids in group]
    target = np.eye(len(ACTS), dtype=np.float32)[np.concatenate(wanted)]
    frequency = target.sum(axis=0) / len(target)
    worth = (1 / np.maximum(frequency, 0.01)) ** BALANCE
    worth = (worth / (frequency * worth).sum())[target.argmax(axis=1)].astype(np.float32)
    near = np.concatenate(context) if context else np.zeros((len(rows), 0), dtype=np.float32)
    weights = np.zeros((BUCKETS, len(ACTS)), dtype=np.float32)
    other = np.zeros((near.shape[1], len(ACTS)), dtype=np.float32)
    grown, other_grown = np.full_like(weights, 1e-3), np.full_like(other, 1e-3)
    for _ in range(EPOCHS):
        order = draw.permutation(len(rows))
        for start in range(0, len(rows), BATCH):
            picked = order[start : start + BATCH]
            kept = [rows[i][draw.random(len(rows[i])) > DROP] for i in picked]
            scale = [1 / np.sqrt(max(1, len(k))) for k in kept]
            raw = np.stack([weights[k].sum(axis=0) * s for k, s in zip(kept, scale, strict=True)]) + near[picked] @ other
            error = (probabilities(raw) - target[picked]) * worth[picked, None]
            ids = np.concatenate(kept)
            slope = np.concatenate([np.tile(e * s, (len(k), 1)) for e, k, s in zip(error, kept, scale, strict=True)])
            unique, place = np.unique(ids, return_inverse=True)
            total = np.zeros((len(unique), len(ACTS)), dtype=np.float32)
            np.add.at(total, place, slope)
            total += DECAY * BATCH * weights[unique]
            grown[unique] += total**2
            weights[unique] -= RATE * total / np.sqrt(grown[unique])
            if near.shape[1]:
                step = near[picked].T @ error + 1e-3 * other
                other_grown += step**2
                other -= 0.1 * step / np.sqrt(other_grown)
    return weights, other


def columns() -> int:
    """Width of the context."""
    return len(AROUND) * 2 * len(ACTS)
