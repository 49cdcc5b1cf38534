"""Weighs which concepts occur together in a sentence or two: a linear model, small enough to read.

``weights.json`` has one number for each concept and each pair of concepts; ``python -m bench.guardrails.train`` makes
it. A score is a probability, 0 to 1; the strongest pair names the rule.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

WEIGHTS = Path(__file__).parent / "weights.json"
_APART = 0.5  # what a pair is worth when its halves stand in neighbouring sentences

# What a concept makes of a finding: the name of the rule that people see.
_RULES = {
    "override": ("cancel", "order", "prior", "priority", "reset", "now", "nolonger"),
    "extract": ("reveal", "prompt", "verbatim", "above"),
    "persona": ("persona", "fiction"),
    "unleash": ("unlimited", "restraint", "lift", "norefuse", "mode"),
    "authority": ("authority", "pretext"),
    "conceal": ("conceal",),
    "exfiltrate": ("send", "dest", "data"),
    "tool": ("act", "tool", "noconsent"),
    "force_output": ("force", "output", "favour"),
    "addressee": ("ai", "reader", "marker"),
    "memory": ("memory",),
    "harm": ("harm", "howto"),
    "coax": ("coax",),
    "encoded": ("encode",),
}
RULE_OF = {concept: rule for rule, concepts in _RULES.items() for concept in concepts}


class Score(NamedTuple):
    """``value`` is the probability of an attack; ``rule`` names what spoke most for it."""

    value: float
    rule: str


@lru_cache(maxsize=1)
def weights() -> dict[str, float]:
    """``bias``, ``concept`` and ``concept+concept`` (in alphabetical order) → weight in log odds."""
    loaded: dict[str, float] = json.loads(WEIGHTS.read_text(encoding="utf-8"))["weights"]
    return loaded


def features(sentences: Sequence[frozenset[str]]) -> Iterator[tuple[str, float]]:
    """The concepts of neighbouring sentences and their pairs, with how much each counts."""
    together = frozenset().union(*sentences)
    close = {pair for sentence in sentences for pair in combinations(sorted(sentence), 2)}
    for concept in together:
        yield concept, 1.0
    for pair in combinations(sorted(together), 2):
        yield "+".join(pair), 1.0 if pair in close else _APART


def score(sentences: Sequence[frozenset[str]], table: dict[str, float] | None = None) -> Score:
    """The probability that these neighbouring sentences attack the model; ``table``: other weights than ours."""
    return _remembered(tuple(sentences)) if table is None else _score(sentences, table)


@lru_cache(maxsize=8192)
def _remembered(sentences: tuple[frozenset[str], ...]) -> Score:
    """The same few concepts meet again and again."""
    return _score(sentences, weights())


@lru_cache(maxsize=1)
def _pairs() -> dict[str, dict[str, float]]:
    """Weights of pairs, from either side."""
    found: dict[str, dict[str, float]] = {}
    for name, weight in weights().items():
        one, plus, other = name.partition("+")
        if plus:
            found.setdefault(one, {})[other] = weight
            found.setdefault(other, {})[one] = weight
    return found


@lru_cache(maxsize=8192)
def at_most(concepts: frozenset[str], further: frozenset[str], *, apart: bool = False) -> float:
    """No sentence that speaks of ``concepts``, and perhaps of some of ``further``, scores higher than this.

    ``apart``: nor do two sentences that speak of them together, whatever stands in which.
    """
    table, pairs, nothing = weights(), _pairs(), dict[str, float]()
    least = _APART if apart else 1.0

    def between(one: str, others: Iterable[str]) -> float:
        known = pairs.get(one, nothing)
        return sum(max(weight, weight * least) for other in others if (weight := known.get(other)))

    total = table["bias"]
    present = list[str]()
    for concept in concepts:
        total += table.get(concept, 0.0) + between(concept, present)
        present.append(concept)
    new = list[str]()
    for concept in further - concepts:
        known = pairs.get(concept, nothing)
        gain = table.get(concept, 0.0) + between(concept, present)
        total += max(0.0, gain + sum(max(0.0, known.get(other, 0.0)) for other in new))
        new.append(concept)
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


def _score(sentences: Sequence[frozenset[str]], table: dict[str, float]) -> Score:
    total, parts = table["bias"], dict[str, float]()
    for name, amount in features(sentences):
        weight = table.get(name)
        if weight is None:
            continue
        total += weight * amount
        for concept in name.split("+"):
            if concept in RULE_OF:
                parts[RULE_OF[concept]] = parts.get(RULE_OF[concept], 0.0) + weight * amount
    rule = max(sorted(parts), key=lambda name: round(parts[name], 9), default="override")  # the same in every process
    return Score(1 / (1 + math.exp(-max(-30.0, min(30.0, total)))), f"injection.{rule}")
