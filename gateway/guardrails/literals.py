"""A prefilter for many patterns: one Aho–Corasick pass finds which of them can match at all.

From the parse tree of a pattern follow the words of which each match must contain at least one. Patterns that have no
such words are always tried. Words are compared in lower case, so a pattern may be offered that then does not match;
never the reverse.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ahocorasick_rs import AhoCorasick, MatchKind

_parser: Any = importlib.import_module("re._parser")
_MOST = 160  # alternatives that are still worth listing

Words = frozenset[str]


def _better(a: Words | None, b: Words | None) -> Words | None:
    """The more selective of two requirements: longer shortest word, then fewer words."""
    candidates = [words for words in (a, b) if words and "" not in words]
    return max(candidates, key=lambda words: (min(2, min(map(len, words))), -len(words)), default=None)


def _sequence(items: Iterable[Any], most: int = _MOST) -> tuple[Words | None, Words | None]:
    """(exactly what it can be, what it must contain) of a sequence of parsed items; None for too many or unknown."""
    best: Words | None = None
    current: Words = frozenset({""})
    whole = True
    for item in items:
        exact, needed = _item(item, most)
        if exact is not None and len(current) * len(exact) <= most:
            current = frozenset(a + b for a in current for b in exact)
            continue
        whole = False
        best = _better(_better(best, current), _better(exact, needed))
        current = frozenset({""})
    return (current, None) if whole else (None, _better(best, current))


def _item(item: Any, most: int = _MOST) -> tuple[Words | None, Words | None]:
    name, value = str(item[0]), item[1]
    if name == "LITERAL":
        return frozenset({chr(value).lower()}), None
    if name == "IN":
        chars = [chr(v).lower() for kind, v in value if str(kind) == "LITERAL"]
        return (frozenset(chars), None) if len(chars) == len(value) <= 12 else (None, None)
    if name == "SUBPATTERN":
        return _sequence(value[3], most)
    if name == "BRANCH":
        return _branch([_sequence(branch, most) for branch in value[1]], most)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, content = value
        return _repeat(low, high, content, most)
    if name in ("AT", "ASSERT_NOT", "ASSERT"):
        return frozenset({""}), None
    return None, None


def _branch(branches: list[tuple[Words | None, Words | None]], most: int) -> tuple[Words | None, Words | None]:
    exact = [e for e, _ in branches]
    if all(e is not None for e in exact):
        union = frozenset().union(*(e for e in exact if e is not None))
        return (union, None) if len(union) <= most else (None, union if "" not in union else None)
    needed = [_better(e, n) for e, n in branches]
    if all(n is not None for n in needed):
        return None, frozenset().union(*(n for n in needed if n is not None))
    return None, None


def _repeat(low: int, high: Any, content: Any, most: int) -> tuple[Words | None, Words | None]:
    exact, needed = _sequence(content, most)
    if low == 0:
        return (exact | {""}, None) if high == 1 and exact is not None else (None, None)
    if low == high == 1:
        return exact, needed
    return None, _better(exact, needed)


def required(pattern: str, flags: int = 0) -> Words | None:
    """Words, lower case, of which any match of ``pattern`` contains at least one; None when none can be named."""
    exact, needed = _sequence(_parser.parse(pattern, flags))
    return _better(exact, needed)


def expanded(pattern: str) -> list[str]:
    """Every string that a finite pattern stands for. Raises ValueError when it is not finite (or has over 20,000)."""
    found, _ = _sequence(_parser.parse(pattern, 0), 20_000)
    if found is None:
        raise ValueError(f"not a finite pattern: {pattern[:60]}")
    return sorted(found)


class Prefilter:
    """Tells for a text which of ``patterns`` can match, and around which places."""

    def __init__(self, patterns: Sequence[str], flags: int = 0) -> None:
        owners: dict[str, list[int]] = {}
        self.always: list[int] = []
        for index, pattern in enumerate(patterns):
            words = required(pattern, flags)
            if words is None:
                self.always.append(index)
            for word in words or ():
                owners.setdefault(word, []).append(index)
        self._owners = list(owners.values())
        self._automaton = AhoCorasick(list(owners)) if owners else None

    def places(self, text: str) -> list[tuple[int, list[int]]]:
        """(offset of a word, indices of the patterns that want it), in order of the text."""
        if self._automaton is None:
            return []
        found = self._automaton.find_matches_as_indexes(_folded(text), overlapping=True)
        return [(start, self._owners[word]) for word, start, _ in found]

    def those(self, text: str) -> set[int]:
        """The indices of the patterns that can match."""
        return {index for _, owners in self.places(text) for index in owners}.union(self.always)

    def possible(self, text: str) -> bool:
        """Whether any of the patterns can match."""
        if self.always or self._automaton is None:
            return bool(self.always)
        return bool(self._automaton.find_matches_as_indexes(_folded(text)))


class Finder:
    """Places where a pattern may begin: its possible beginnings, found in one pass."""

    def __init__(self, pattern: str) -> None:
        self._automaton = AhoCorasick(expanded(pattern), matchkind=MatchKind.LeftmostLongest)

    def starts(self, text: str) -> list[int]:
        return [start for _, start, _ in self._automaton.find_matches_as_indexes(lower(text))]


def matches_from(pattern: re.Pattern[str], text: str, starts: Iterable[int]) -> Iterator[re.Match[str]]:
    """As ``pattern.finditer``, where matches can begin only at ``starts`` (in order): a fraction of its cost."""
    after = 0
    for start in starts:
        if start >= after and (match := pattern.match(text, start)):
            yield match
            after = match.end()


def _folded(text: str) -> str:
    """Lower case as regular expressions see it that ignore case: ı and ſ are i and s."""
    return lower(text).replace("ı", "i").replace("ſ", "s")


def lower(text: str) -> str:
    """Lower case with every offset kept: İ and a few others would change length."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)
