"""Prompt injection and jailbreaks: concepts that occur together in neighbouring sentences, and the marks of chat formats.

A text is read sentence by sentence. ``concepts`` says what each speaks of, ``scorer`` how likely that is an attack,
``signs`` adds marks that no honest text has; what a text hides (``decode``) is read in the same way.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from gateway.guardrails.injection import signs
from gateway.guardrails.injection.concepts import MOODS, mentions, moods
from gateway.guardrails.injection.decode import decoded
from gateway.guardrails.injection.scorer import Score, at_most, score
from gateway.guardrails.view import Hit, View

_END = r"(?:[。！？]|[!?](?![A-Za-z0-9=&%_/{#\[(])|(?<=[A-Za-z0-9\"')\]])\.(?=\s|\Z))"
_SENTENCE = re.compile(rf"(?:(?!{_END})[^\n])+(?:{_END}+[」』）)\"']?|\n+|\Z)|{_END}+|\n+")
_QUOTED = re.compile(r"[「『\"“][^」』\"”]{4,120}[」』\"”]")
_FLOOR = 0.3  # weaker evidence is not reported
_TIE = 1e-9  # two sums of the same weights in another order


class Sentence(NamedTuple):
    """Where a sentence stands and what it speaks of."""

    start: int
    end: int
    concepts: frozenset[str]


class _Reading:
    """A text sentence by sentence: what each speaks of, and how, which costs more to tell and is told when asked for."""

    def __init__(self, view: View) -> None:
        self._text = view.text
        self._moods: dict[int, frozenset[str]] = {}
        self.sentences = list(_sentences(view))

    def whole(self, index: int) -> frozenset[str]:
        """Everything about one sentence."""
        found = self._moods.get(index)
        sentence = self.sentences[index]
        if found is None:
            found = self._moods[index] = frozenset(moods(self._text[sentence.start : sentence.end]))
        return sentence.concepts | found


def _sentences(view: View) -> Iterator[Sentence]:
    """The sentences of a text with their concepts, without moods; none for those that speak of nothing."""
    text = view.text
    found = mentions(text)
    if not found:
        return
    spans = [match.span() for match in _SENTENCE.finditer(text) if match[0].strip()]
    begins = [start for start, _ in spans]
    inside: dict[int, list[tuple[int, int, str]]] = {}
    for mention in found:
        inside.setdefault(max(0, bisect_right(begins, mention[0]) - 1), []).append(mention)
    origin: frozenset[str] = frozenset() if view.source == "user" else frozenset({"planted"})
    for index, spoken in inside.items():
        start, end = spans[index]
        yield Sentence(start, end, _concepts(text, start, end, spoken) | origin)


def _concepts(text: str, start: int, end: int, spoken: list[tuple[int, int, str]]) -> frozenset[str]:
    """The concepts of one sentence; what it only quotes, as an example of an attack, does not count."""
    if any(concept == "mention" for *_, concept in spoken):
        quotes = [match.span() for match in _QUOTED.finditer(text, start, end)]
        spoken = [m for m in spoken if not any(begin < m[0] and m[1] < stop for begin, stop in quotes)]
    return frozenset(concept for *_, concept in spoken)


def windows(view: View) -> Iterator[list[frozenset[str]]]:
    """The concepts of each sentence, alone and together with the next."""
    reading = _Reading(view)
    for index in range(len(reading.sentences)):
        yield [reading.whole(index)]
        if index + 1 < len(reading.sentences):
            yield [reading.whole(index), reading.whole(index + 1)]


def _findings(view: View) -> Iterator[Hit]:
    """Attacks in the text as it stands: of overlapping windows the surest."""
    reading = _Reading(view)
    found = reading.sentences
    for index, sentence in enumerate(found):
        best: Score | None = None
        last = sentence
        for window in (range(index, index + 1), range(index, min(len(found), index + 2))):
            concepts = frozenset().union(*(found[i].concepts for i in window))
            if at_most(concepts, MOODS, apart=len(window) > 1) < _FLOOR - _TIE:
                continue  # whatever its moods, it will not be reported
            scored = score([reading.whole(i) for i in window])
            if best is None or scored.value > best.value + _TIE:
                best, last = scored, found[window[-1]]
        if best is not None and best.value >= _FLOOR:
            yield Hit(sentence.start, last.end, "INJECTION", best.rule, min(0.99, round(best.value, 2)))
    yield from signs.find(view.text, view.source)


def detect(view: View) -> Iterator[Hit]:
    """Attacks in the text as it stands, and in what it hides."""
    hits = list(_findings(view))
    for hidden, start, end in decoded(view.text, view.shadow.original):
        for hit in _findings(View.of(hidden, view.source)) if hidden else ():
            confidence = min(0.99, hit.confidence + 0.08)  # hiding it is a sign of its own
            hits.append(Hit(start, end, "INJECTION", f"{hit.rule}.hidden", round(confidence, 2)))
    yield from _merged(hits)


def _merged(hits: list[Hit]) -> list[Hit]:
    """Overlapping findings as one, with the surest rule."""
    merged: list[Hit] = []
    for hit in sorted(hits):
        if merged and hit.start < merged[-1].end:
            best = max(merged[-1], hit, key=lambda h: h.confidence)
            merged[-1] = Hit(merged[-1].start, max(merged[-1].end, hit.end), "INJECTION", best.rule, best.confidence)
        else:
            merged.append(hit)
    return merged
