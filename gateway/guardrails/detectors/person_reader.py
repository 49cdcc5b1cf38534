"""One text while names of persons are looked for: its borders, and what was found so far."""

from __future__ import annotations

import re
from functools import cached_property

from gateway.guardrails.detectors import companies, person_cues
from gateway.guardrails.detectors.names import surname_spans
from gateway.guardrails.tagger import Token, kinds
from gateway.guardrails.view import Hit, View

KANJI = r"[一-龠々ヶ]"
_KANJI_WORD = re.compile(rf"{KANJI}{{2,4}}")
_MAYBE = ("place", "noun", "proper", "person", "given")


class Reader:
    """One text while names are looked for: morphemes by border, firms, what was found so far."""

    def __init__(self, view: View) -> None:
        self.view, self.text = view, view.text
        self.firms = companies.spans(view)
        self.found: dict[tuple[int, int], Hit] = {}

    @cached_property
    def starts(self) -> dict[int, Token]:
        return {token.start: token for token in self.view.tokens}

    @cached_property
    def ends(self) -> dict[int, Token]:
        return {token.end: token for token in self.view.tokens}

    @cached_property
    def families(self) -> list[tuple[int, int]]:
        """Candidates for family names: the list, and what the tagger calls one."""
        text = self.text
        spans = set(surname_spans(text))
        for start, end, kind in self.view.tokens:
            if kind == "family" or (
                kind in _MAYBE
                and 2 <= end - start <= 4
                and _KANJI_WORD.fullmatch(text, start, end)
                and "family" in kinds(text[start:end])
            ):
                spans.add((start, end))
        return sorted(spans)

    def in_firm(self, start: int, end: int) -> bool:
        return any(a <= start and end <= b for a, b in self.firms)

    def taken(self, start: int, end: int) -> bool:
        return any(start < b and a < end for a, b in self.found)

    def add(self, start: int, end: int, rule: str, confidence: float) -> None:
        if not self.taken(start, end) and start < end:
            self.found[start, end] = Hit(start, end, "PERSON", rule, confidence)


def left_border(reader: Reader, start: int) -> bool:
    """A name may begin here: not inside a longer run of kanji unless a role or a word ends there."""
    before = reader.text[max(0, start - 12) : start]
    if not re.search(r"[一-龠々ヶァ-ヴー]\Z", before):
        return True
    if person_cues.BEFORE.search(before):
        return True
    token = reader.ends.get(start)
    return (token is not None and token.kind in ("particle", "symbol", "verb")) or bool(
        re.search(r"[部課室係店局社所者員]\Z", before) and start in reader.starts
    )
