"""Stable choices by hash: the same on every replica, in every process, after every restart.

Weighted rendezvous hashing: each choice draws a number from the hash of its name and of who chooses, the best draw
wins. A choice whose weight grows only wins people, one whose weight shrinks only loses some; nobody else moves.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable

_SPAN = 2.0**64


def fraction(*parts: str | bytes) -> float:
    """A number in (0, 1), evenly spread, that depends on nothing but the parts and their order."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return (int.from_bytes(digest.digest(), "big") + 0.5) / (_SPAN + 1)


def draw(weight: float, name: str, who: str | bytes) -> float:
    """How strongly ``who`` is drawn to ``name``: the largest draw wins. A weight of 0 never wins over another."""
    return -weight / math.log(min(fraction(name, who), 1.0 - 2**-53)) if weight > 0 else 0.0


def ranked(weights: Iterable[tuple[str, float]], who: str | bytes) -> list[str]:
    """The names by their draw, the winner first."""
    draws = [(draw(weight, name, who), name) for name, weight in weights]
    return [name for _, name in sorted(draws, key=lambda pair: (-pair[0], pair[1]))]
