"""Which claims a sentence of a sale makes: concepts that meet in it, whatever the words and their order.

``words/claims_*.txt`` hold the concepts. Whether a claim is meant, denied, asked or quoted is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.guardrails.lexicon import Lexicon, Mention

_LEXICON = Lexicon(("claims_ja", "claims_en"))


class Rule(NamedTuple):
    """``concepts`` must all occur, each on words of its own, within ``reach`` characters."""

    name: str
    confidence: float
    concepts: tuple[str, ...]
    reach: int = 40


# In order: of several claims in one sentence the first is reported.
RULES = (
    Rule("wording.loss_compensation", 0.88, ("loss", "compensate"), 48),
    Rule("wording.no_loss", 0.86, ("noloss",)),
    Rule("wording.no_loss", 0.84, ("loss", "none"), 16),
    Rule("wording.guarantee", 0.86, ("principal", "guarantee"), 24),
    Rule("wording.guarantee", 0.86, ("return", "guarantee"), 28),
    Rule("wording.guarantee", 0.84, ("guarantee", "gain"), 20),
    Rule("wording.definitive", 0.85, ("certain", "gain"), 36),
    Rule("wording.definitive", 0.82, ("win",)),
    Rule("wording.definitive", 0.8, ("certain", "return"), 16),
    Rule("wording.misleading", 0.74, ("deposit", "same", "safe"), 32),
    Rule("wording.misleading", 0.74, ("official", "endorse"), 24),
    Rule("wording.misleading", 0.74, ("ease", "gain"), 32),
    Rule("wording.misleading", 0.72, ("fee", "none"), 12),
    Rule("wording.tying", 0.78, ("loan", "tie", "product"), 60),
    Rule("wording.special_benefit", 0.74, ("only", "benefit", "give"), 60),
    Rule("wording.pressure", 0.76, ("hurry", "regret"), 48),
    Rule("wording.comparison", 0.74, ("than", "superior"), 36),
    Rule("wording.superlative", 0.74, ("best",)),
)


_NEEDED = tuple((rule, frozenset(rule.concepts)) for rule in RULES)


class Claim(NamedTuple):
    """Where the words of a claim stand in the text."""

    rule: Rule
    start: int
    end: int


def mentions(text: str) -> list[Mention]:
    """Every concept of the lists in ``text``, in order."""
    return _LEXICON.mentions(text)


def claims(found: Sequence[Mention]) -> Iterator[Claim]:
    """The claims that the concepts of one sentence make, in the order of the rules."""
    places: dict[str, list[tuple[int, int]]] = {}
    for mention in found:
        places.setdefault(mention.concept, []).append((mention.start, mention.end))
    for rule, needed in _NEEDED:
        if needed <= places.keys():
            for start, end in _together([places[concept] for concept in rule.concepts], rule.reach):
                yield Claim(rule, start, end)


def _together(options: Sequence[list[tuple[int, int]]], reach: int) -> Iterator[tuple[int, int]]:
    """Spans that hold one place of each concept, none on the words of another, within ``reach`` characters."""
    for start, end in options[0]:
        yield from _joined((start, end), ((start, end),), options[1:], reach)


def _joined(
    span: tuple[int, int], taken: tuple[tuple[int, int], ...], rest: Sequence[list[tuple[int, int]]], reach: int
) -> Iterator[tuple[int, int]]:
    if not rest:
        yield span
        return
    for start, end in rest[0]:
        if any(start < other_end and other_start < end for other_start, other_end in taken):
            continue
        joined = (min(span[0], start), max(span[1], end))
        if joined[1] - joined[0] <= reach + end - start:
            yield from _joined(joined, (*taken, (start, end)), rest[1:], reach)
