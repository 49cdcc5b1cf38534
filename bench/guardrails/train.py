"""Learns the weights of the injection model (``gateway/guardrails/injection/weights.json``) from our own sentences.

    python -m bench.guardrails.train

Logistic regression over concepts and pairs of concepts with a squared penalty: deterministic, seconds on one core.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np

from bench.guardrails.corpus import Sample, learning, written
from gateway.guardrails.injection import windows
from gateway.guardrails.injection.scorer import WEIGHTS, features, score
from gateway.guardrails.view import View

PENALTY = 0.0015  # of a squared weight
STEPS = 250
SMALLEST = 0.03  # lighter weights are left out of the file
ATTACK = 0.25  # share of the whole weight that the attacks have together

Row = dict[str, float]


def bags(samples: Sequence[Sample]) -> list[tuple[list[Row], Sample]]:
    """For each sample the features of its windows: an attack needs one window that shows it, innocence all of them."""
    made = []
    for sample in samples:
        rows = [dict(features(window)) for window in windows(View.of(sample.text, sample.source))]
        if rows:
            made.append((rows, sample))
    return made


def matrix(rows: Sequence[Row], names: Sequence[str]) -> np.ndarray:
    place = {name: index for index, name in enumerate(names)}
    made = np.zeros((len(rows), len(names)), dtype=np.float32)
    for index, row in enumerate(rows):
        for name, amount in row.items():
            made[index, place[name]] = amount
    return made


def learn(samples: Sequence[Sample]) -> dict[str, float]:
    """Weights by name. The window that stands for an attack is chosen anew by the model of the round before."""
    made = bags(samples)
    names = sorted({name for rows, _ in made for row in rows for name in row})
    flat = [row for rows, _ in made for row in rows]
    data = matrix(flat, names)
    ends = np.cumsum([len(rows) for rows, _ in made])
    weights, bias = np.zeros(len(names), dtype=np.float32), 0.0
    for turn in range(3):
        score = data @ weights + bias
        chosen: list[int] = []
        truth: list[float] = []
        counts: list[float] = []
        for (rows, sample), end in zip(made, ends, strict=True):
            span = range(int(end) - len(rows), int(end))
            best = max(span, key=lambda i: score[i] if turn else data[i].sum())
            picked = [best] if sample.attack else list(span)
            chosen += picked
            truth += [float(sample.attack)] * len(picked)
            counts += [sample.counts] * len(picked)
        weights, bias = _fit(data[chosen], np.array(truth), np.array(counts), weights, bias)
    kept = {name: round(float(w), 2) for name, w in zip(names, weights, strict=True) if abs(w) >= SMALLEST}
    return {"bias": round(float(bias), 2), **kept}


def _fit(
    data: np.ndarray, truth: np.ndarray, counts: np.ndarray, weights: np.ndarray, bias: float
) -> tuple[np.ndarray, float]:
    """Adam on the whole data; the bias is free."""
    attacks, innocent = counts * truth, counts * (1 - truth)
    counts = (ATTACK * attacks / attacks.sum() + (1 - ATTACK) * innocent / innocent.sum()).astype(np.float32)
    first, second = np.zeros(len(weights) + 1), np.zeros(len(weights) + 1)
    for step in range(1, STEPS + 1):
        chance = 1 / (1 + np.exp(-(data @ weights + bias)))
        error = (chance - truth) * counts
        slope = np.append(data.T @ error + PENALTY * weights, error.sum())
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        move = 0.05 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        weights, bias = (weights - move[:-1]).astype(np.float32), bias - float(move[-1])
    return weights, bias


def measure(weights: dict[str, float], samples: Sequence[Sample]) -> Iterator[str]:
    """Found at 0.65 (flagged) and at 0.9 (blocked), of attacks and of innocent lines, by language."""
    for attack, language in ((True, "ja"), (True, "en"), (False, "ja"), (False, "en")):
        group = [s for s in samples if s.attack == attack and s.language == language]
        best = [
            max((score(window, weights).value for window in windows(View.of(s.text, s.source))), default=0.0)
            for s in group
        ]
        flagged, sure = (sum(value >= level for value in best) / len(group) for level in (0.65, 0.9))
        yield f"{'attacks' if attack else 'innocent'} {language} n={len(group)}: {flagged:.3f} from 0.65, {sure:.3f} from 0.9"


def main() -> None:
    """Measures with the lines kept apart first; the weights that are written have seen all lines."""
    apart = list(written(kept_apart=True))
    print("kept apart:", *measure(learn(learning()), apart), sep="\n  ")
    learned = learn([*learning(), *apart])
    note = "Learned by bench/guardrails/train.py from sentences written for Kakehashi (Apache-2.0). Log odds."
    lines = ",\n".join(f"  {json.dumps(name)}: {weight}" for name, weight in learned.items())
    WEIGHTS.write_text(f'{{"note": {json.dumps(note)}, "weights": {{\n{lines}\n}}}}\n', encoding="utf-8")
    print(f"{len(learned)} weights")


if __name__ == "__main__":
    main()
