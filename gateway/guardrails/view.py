"""One text as the detectors read it: its shadow, the words around a place, table headings, morphemes on demand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from gateway.guardrails import tagger
from gateway.guardrails.shadow import Shadow, make_shadow
from gateway.guardrails.types import Source

_CELL_SPLIT = re.compile(r"[,\t|]")
_DIGITS = re.compile(r"\d+")
_LONG_NUMBER = re.compile(r"\d(?:[-. ・()の/\n]{0,3}\d){5}")
_HEADING = re.compile(r"[^\d@:。]{1,20}\Z")


class Hit(NamedTuple):
    """What a detector found, in offsets of the shadow text."""

    start: int
    end: int
    type: str
    rule: str
    confidence: float


def _headings(text: str) -> list[tuple[int, int, str]]:
    """(start, end, heading) of every cell of CSV, TSV or Markdown rows below a heading row."""
    cells: list[tuple[int, int, str]] = []
    heads: list[str] = []
    position = 0
    for line in text.split("\n"):
        parts = _CELL_SPLIT.split(line)
        names = [part.strip(' "*') for part in parts]
        if len(parts) < 2 or (len(parts) != len(heads) and not all(_HEADING.match(n) or not n for n in names)):
            heads = []
        elif len(parts) != len(heads):
            heads = names
        else:
            offset = position
            for part, head in zip(parts, heads, strict=True):
                cells.append((offset, offset + len(part), head))
                offset += len(part) + 1
        position += len(line) + 1
    return cells


@dataclass
class View:
    """A text under examination. ``customer_labels`` are further words that announce a customer number."""

    shadow: Shadow
    source: Source = "user"
    customer_labels: tuple[str, ...] = ()
    cache: dict[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, source: Source = "user", customer_labels: tuple[str, ...] = ()) -> View:
        return cls(make_shadow(text), source, customer_labels)

    @property
    def text(self) -> str:
        return self.shadow.text

    @cached_property
    def has_digits(self) -> bool:
        return re.search(r"\d", self.text) is not None

    @cached_property
    def has_long_number(self) -> bool:
        """At least six digits in a row, separators aside."""
        return _LONG_NUMBER.search(self.text) is not None

    @cached_property
    def _runs(self) -> list[int]:
        """Where runs of digits begin."""
        return [match.start() for match in _DIGITS.finditer(self.text)]

    def numbers(self, pattern: re.Pattern[str], lead: int = 0) -> Iterator[re.Match[str]]:
        """As ``pattern.finditer``, looking only where a match can begin.

        For patterns whose first digit begins a run of digits and has at most ``lead`` characters before it.
        """
        text, after = self.text, 0
        for run in self._runs:
            for start in range(max(after, run - lead), run + 1):
                after = start + 1
                if match := pattern.match(text, start):
                    yield match
                    after = match.end()
                    break

    @property
    def has_cells(self) -> bool:
        """Whether the text holds a table."""
        return bool(self._cells)

    @cached_property
    def _cells(self) -> list[tuple[int, int, str]]:
        text = self.text
        return _headings(text) if "\n" in text and re.search(r"[,\t|]", text) else []

    def heading(self, position: int) -> str:
        """The heading of the table cell at ``position``; empty outside tables."""
        for start, end, head in self._cells:
            if start <= position < end:
                return head
        return ""

    def left(self, position: int, width: int = 32) -> str:
        """The text before ``position``; in a table cell the heading, as ``heading: `` and the cell's beginning."""
        for start, end, head in self._cells:
            if start <= position < end:
                return f"{head}: {self.text[start:position]}"
        return self.text[max(0, position - width) : position]

    def right(self, position: int, width: int = 20) -> str:
        return self.text[position : position + width]

    def around(self, start: int, end: int, width: int = 48) -> str:
        """The words on both sides, for cues that may stand anywhere near."""
        return f"{self.left(start, width)} {self.right(end, width)}"

    @cached_property
    def tokens(self) -> list[tagger.Token]:
        """Morphemes of the shadow text, by Sudachi. Made when a name detector first asks."""
        return tagger.tokens(self.text)
