"""Weighs which concepts occur together in a sentence or two: a linear model, small enough to read.

``weights.json`` has one number for each concept and each pair of concepts; ``python -m bench.guardrails.train`` makes
it. A score is a probability, 0 to 1; the strongest pair names the rule.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
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
    table = weights() if table is None else table
    total, parts = table["bias"], dict[str, float]()
    for name, amount in features(sentences):
        weight = table.get(name)
        if weight is None:
            continue
        total += weight * amount
        for concept in name.split("+"):
            if concept in RULE_OF:
                parts[RULE_OF[concept]] = parts.get(RULE_OF[concept], 0.0) + weight * amount
    rule = max(parts, key=lambda name: parts[name], default="override")
    return Score(1 / (1 + math.exp(-max(-30.0, min(30.0, total)))), f"injection.{rule}")
