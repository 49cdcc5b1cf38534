"""Word lists of concepts, found in one pass: which concepts a text speaks of, and where.

A list is ``words/<name>.txt``: a line is ``[concept]``, a comment, or finite patterns apart by blanks (``~`` is a blank
inside one), and every string that a pattern stands for is looked for in lower case. Lists that end in ``_en`` hold whole
words, or with a star at their end the beginnings of words. Knows nothing of what the concepts mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from gateway.guardrails.literals import expanded, lower

_WORDS = Path(__file__).parent / "words"
_HEAD = re.compile(r"\[([a-z]+)\]")


class Mention(NamedTuple):
    """One word of the lists, in offsets of the text as given. ``english``: from a list of English words."""

    start: int
    end: int
    concept: str
    english: bool


class _Word(NamedTuple):
    concepts: tuple[str, ...]
    english: bool
    begins: bool


def _entries(name: str) -> Iterator[tuple[str, str, bool]]:
    """(word, concept, whether it is only a beginning) of every entry of a list."""
    concept = ""
    for line in (_WORDS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if head := _HEAD.fullmatch(line):
            concept = head[1]
        elif not line.startswith("# "):
            for pattern in line.split():
                for word in expanded(pattern.removesuffix("*").replace("~", " ")):
                    yield lower(word), concept, pattern.endswith("*")


class Lexicon:
    """Lists that are read when a text is first looked at."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    @cached_property
    def _finder(self) -> tuple[AhoCorasick, list[_Word]]:
        # Tens of thousands of words mean a few hundred things: each thing is there once.
        things: dict[_Word, _Word] = {}
        words: dict[tuple[str, bool], _Word] = {}
        for name in self._names:
            english = name.endswith("_en")
            for word, concept, begins in _entries(name):
                known = words.get((word, english))
                concepts = (concept,) if known is None else tuple(sorted({*known.concepts, concept}))
                made = _Word(concepts, english, begins if known is None else known.begins)
                words[word, english] = things.setdefault(made, made)
        return AhoCorasick([word for word, _ in words]), list(words.values())

    def mentions(self, text: str) -> list[Mention]:
        """Every word of the lists in ``text``, in order."""
        automaton, words = self._finder
        lowered = lower(text)
        found: list[Mention] = []
        for index, start, end in automaton.find_matches_as_indexes(lowered, overlapping=True):
            word = words[index]
            if not word.english or _stands_alone(lowered, start, end, word.begins):
                found += [Mention(start, end, concept, word.english) for concept in word.concepts]
        return sorted(found)


def _stands_alone(text: str, start: int, end: int, begins: bool) -> bool:
    """The match is a word, or the beginning of one, and not the inside of another."""
    if start and _latin(text[start]) and _latin(text[start - 1]):
        return False
    return begins or end == len(text) or not (_latin(text[end - 1]) and _latin(text[end]))


def _latin(char: str) -> bool:
    return char < "\u0250" and char.isalnum()
