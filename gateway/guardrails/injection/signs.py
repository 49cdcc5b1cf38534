"""What a sign of an attack is: a pattern with a weight per origin. The languages write their own lists of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from gateway.guardrails.types import Source

FLAGS = re.IGNORECASE | re.DOTALL


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compiled when first needed: the prefilter rules out most signs for most texts."""
    return re.compile(pattern, FLAGS)


@dataclass(frozen=True, slots=True)
class Sign:
    """One piece of evidence. ``weight`` is the chance it means an attack in a user's message, ``planted`` in a document
    or tool result (by default the same). ``unless`` voids it when it matches the sentence."""

    rule: str
    pattern: str
    weight: float
    planted: float | None = None
    unless: str = ""

    def worth(self, source: Source) -> float:
        return self.weight if source == "user" or self.planted is None else self.planted

    def seen(self, sentence: str) -> bool:
        if not _compiled(self.pattern).search(sentence):
            return False
        return not (self.unless and _compiled(self.unless).search(sentence))


sign = Sign
