"""The sentences that the injection model learns from, and those it is measured with, which it never sees.

``data/injection_*.txt`` were written by us: ``+`` an attack, ``-`` an innocent text, then the origin (user, document,
tool) and the text. Every fourth line of each kind is kept apart for measuring.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import yaml

from bench.guardrails.measure import rows
from gateway.guardrails.types import Source

NEAR_MISS = 5.0  # an innocent line written to look like an attack teaches more than an ordinary one
ORDINARY = 300  # lines taken of each pattern of ordinary texts
_DATA = Path(__file__).parent / "data"
_ORIGIN: dict[str, Source] = {"u": "user", "d": "document", "t": "tool"}


class Sample(NamedTuple):
    text: str
    source: Source
    attack: bool
    language: str
    counts: float = 1.0


def written(*, kept_apart: bool) -> Iterator[Sample]:
    """Our own lines: those to learn from, or the fourth part that is kept apart."""
    for path in sorted(_DATA.glob("injection_*.txt")):
        seen: Counter[str] = Counter()
        for line in path.read_text(encoding="utf-8").splitlines():
            head, _, text = line.partition(" ")
            seen[head] += 1
            if (seen[head] % 4 == 0) == kept_apart:
                yield Sample(text, _ORIGIN[head[1]], head[0] == "+", path.stem[-2:], NEAR_MISS)


def ordinary() -> Iterator[Sample]:
    """Innocent lines put together from parts, spread evenly over all that the parts can say."""
    for pattern in yaml.safe_load((_DATA / "ordinary.yaml").read_text(encoding="utf-8")):
        lines = ["".join(parts) for parts in product(*pattern["parts"])]
        step = max(1, len(lines) // ORDINARY)
        while len(lines) % step == 0 and step > 1:
            step -= 1  # a step that divides the number would always meet the same parts
        for line in lines[::step]:
            yield Sample(line, pattern["source"], False, pattern["language"])


def pages() -> Iterator[Sample]:
    """The project's own documents and code: text about models, prompts and rules that attacks nobody."""
    root = Path(__file__).parents[2]
    for path in sorted([*root.glob("docs/*.md"), root / "README.md", *root.glob("gateway/api/*.py")]):
        paragraphs = path.read_text(encoding="utf-8").split("\n\n")
        yield from (Sample(text, "document", False, "en") for text in paragraphs)


def learning() -> list[Sample]:
    """What the model may learn from: our lines, the development set, and innocent lines of the other sets."""
    dev = [
        Sample(row["text"], row["source"], row["attack"], row["language"], NEAR_MISS) for row in rows("injection_dev")
    ]
    innocent = [Sample(row["text"], "document", False, "") for name in ("pii_dev", "wording_dev") for row in rows(name)]
    return [*written(kept_apart=False), *ordinary(), *pages(), *dev, *innocent]
