"""Softmax regression over hashed features by mini-batch Adagrad, and the two passes of a tagger."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from apps.common.tagging.features import BUCKETS, features
from apps.common.tagging.tagger import Matrix, Tagger, around, probabilities, scores
from tuning.tagging.texts import Labelled

FOLDS = 5


@dataclass(frozen=True)
class Recipe:
    """``drop``: share of features hidden in each step; ``balance``: 0 lets lines count the same, 1 labels;
    ``excerpts``: of each text."""

    epochs: int = 24
    batch: int = 128
    rate: float = 0.4
    context_rate: float = 0.05
    decay: float = 1e-4
    drop: float = 0.3
    balance: float = 1.0
    excerpts: int = 4
    seed: int = 0


def train(texts: Sequence[Labelled], recipe: Recipe = Recipe()) -> Tagger:
    """A tagger from labelled texts, each whole and in some short excerpts, as a rule's test or a note may be.

    The second pass learns from opinions of first passes that had not seen the text (``FOLDS``-fold), as in use.
    """
    labels = tuple(sorted({label for text in texts for label in text.labels}))
    parts = [(i, part) for i, text in enumerate(texts) for part in (text, *excerpts(text, recipe))]
    found = [features(part.lines, part.names) for _, part in parts]
    wanted = [np.array([labels.index(label) for label in part.labels]) for _, part in parts]
    context: list[Matrix] = [np.empty((0, 0), dtype=np.float32)] * len(parts)
    for fold in range(FOLDS):
        inside = [k for k, (i, _) in enumerate(parts) if i % FOLDS != fold]
        first, _ = _fit([found[k] for k in inside], [wanted[k] for k in inside], len(labels), None, recipe)
        for k, (i, part) in enumerate(parts):
            if i % FOLDS == fold:
                context[k] = around(probabilities(scores(first, found[k])), part.lines)
    first, _ = _fit(found, wanted, len(labels), None, recipe)
    second, near = _fit(found, wanted, len(labels), np.concatenate(context), recipe)
    return Tagger(labels, first, second, near)


def excerpts(text: Labelled, recipe: Recipe) -> list[Labelled]:
    """Random stretches of one to six lines, the same for the same text."""
    draw = np.random.default_rng(zlib.crc32(text.name.encode()))
    made = []
    for _ in range(recipe.excerpts):
        length = int(draw.integers(1, 7))
        start = int(draw.integers(0, max(1, len(text.lines) - length + 1)))
        part = slice(start, start + length)
        made.append(replace(text, lines=text.lines[part], labels=text.labels[part]))
    return made


def _worth(target: Matrix, balance: float) -> Matrix:
    """How much each line counts: rare labels more."""
    share = np.maximum(target.mean(axis=0), 0.005)
    weight = share**-balance
    counted: Matrix = (weight / (share * weight).sum())[target.argmax(axis=1)].astype(np.float32)
    return counted


def _fit(
    found: list[list[list[int]]], wanted: list[NDArray[np.int64]], labels: int, context: Matrix | None, recipe: Recipe
) -> tuple[Matrix, Matrix]:
    """Weights of the features, and of the context where there is one."""
    draw = np.random.default_rng(recipe.seed)
    rows = [np.array(ids) for text in found for ids in text]
    target = np.eye(labels, dtype=np.float32)[np.concatenate(wanted)]
    worth = _worth(target, recipe.balance)
    near = context if context is not None else np.zeros((len(rows), 0), dtype=np.float32)
    weights, other = np.zeros((BUCKETS, labels), dtype=np.float32), np.zeros((near.shape[1], labels), dtype=np.float32)
    grown, other_grown = np.full_like(weights, 1e-2), np.full_like(other, 1e-2)
    for _ in range(recipe.epochs):
        order = draw.permutation(len(rows))
        for start in range(0, len(rows), recipe.batch):
            picked = order[start : start + recipe.batch]
            kept = [row[draw.random(len(row)) > recipe.drop] for row in (rows[i] for i in picked)]
            lengths = np.array([max(1, len(k)) for k in kept])
            flat = np.concatenate([k if len(k) else rows[i][:1] for k, i in zip(kept, picked, strict=True)])
            scale = (1 / np.sqrt(lengths)).astype(np.float32)[:, None]
            starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
            raw = np.add.reduceat(weights[flat], starts, axis=0) * scale + near[picked] @ other
            error = (probabilities(raw) - target[picked]) * worth[picked, None]
            _step(weights, grown, flat, np.repeat(error * scale, lengths, axis=0), recipe)
            if near.shape[1]:
                slope = near[picked].T @ error + recipe.decay * 10 * other
                other_grown += slope**2
                other -= recipe.context_rate * slope / np.sqrt(other_grown)
    return weights, other


def _step(weights: Matrix, grown: Matrix, flat: NDArray[np.int64], slope: Matrix, recipe: Recipe) -> None:
    """One step of Adagrad for the features that occurred."""
    order = np.argsort(flat, kind="stable")
    ids, starts = np.unique(flat[order], return_index=True)
    total = np.add.reduceat(slope[order], starts, axis=0) + recipe.decay * recipe.batch * weights[ids]
    grown[ids] += total**2
    weights[ids] -= recipe.rate * total / np.sqrt(grown[ids])
