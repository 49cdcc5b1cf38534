"""From body blocks to items (a head with details), and from items to pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from apps.proposals.model import TextBlock

T = TypeVar("T")
HEAD_LIMIT = {"ja": 24, "en": 44}  # characters; a longer part before the colon is running text
_COLON = re.compile(r"^(?P<head>[^：:。\n]{1,44}?)\s*(?:：|:\s)\s*(?P<rest>\S.*)$", re.DOTALL)
_SENTENCE_END = re.compile(r"[。！？]+[」』）]*|[.!?]+\s+|\n+")


@dataclass(frozen=True)
class Item:
    """What one card, row or step says. ``head`` may be empty, or ``details``, not both."""

    head: str
    details: tuple[str, ...] = ()
    children: tuple[Item, ...] = ()

    @property
    def length(self) -> int:
        return len(self.head) + sum(map(len, self.details))


def split_head(text: str, language: str) -> tuple[str, str]:
    """``見出し：説明`` → its two parts; text without a short head has none."""
    match = _COLON.match(text.strip())
    if match and len(match["head"]) <= HEAD_LIMIT[language]:
        rest = match["rest"].strip()
        word = rest.split()[0]
        starts = rest[0].upper() + rest[1:] if word.islower() else rest  # a sentence of its own now
        return match["head"].strip(), starts
    return "", text.strip()


def items_of(body: Iterable[TextBlock], language: str) -> list[Item]:
    """Level 0 blocks are items; deeper ones their details. A block without details is split at its colon;
    one that cannot be split is a head where others have one."""
    groups: list[list[TextBlock]] = []
    for block in body:
        if not block.text.strip():
            continue
        if block.level == 0 or not groups:
            groups.append([block])
        else:
            groups[-1].append(block)
    found = []
    deep = any(len(group) > 1 for group in groups)
    for first, *rest in groups:
        if rest:
            found.append(Item(first.text.strip(), tuple(block.text.strip() for block in rest)))
        else:
            head, detail = split_head(first.text, language)
            found.append(Item(head, (detail,)) if head or not deep else Item(detail))
    return found


def tree_of(body: Sequence[TextBlock]) -> list[Item]:
    """The blocks as a forest by level, details left empty (for charts of people)."""

    def grow(blocks: Sequence[TextBlock], level: int) -> tuple[Item, ...]:
        if not blocks:
            return ()
        starts = [n for n, block in enumerate(blocks) if n == 0 or block.level <= level]
        ends = [*starts[1:], len(blocks)]
        return tuple(
            Item(blocks[a].text.strip(), children=grow(blocks[a + 1 : b], level + 1))
            for a, b in zip(starts, ends, strict=True)
        )

    return list(grow([block for block in body if block.text.strip()], 0))


def sentences(text: str) -> list[str]:
    """The text cut after sentence ends; joined again it is the same."""
    cuts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return [text[a:b] for a, b in pairwise(cuts) if b > a] or [text]


def balanced_chunks(items: Sequence[T], count: int) -> list[list[T]]:
    base, extra = divmod(len(items), count)
    ends = [0]
    for number in range(count):
        ends.append(ends[-1] + base + (1 if number < extra else 0))
    return [list(items[a:b]) for a, b in pairwise(ends)]


def paginate(items: Sequence[T], good: Callable[[Sequence[T]], bool]) -> list[list[T]]:
    """The fewest pages of about equal length that are all good; single items are taken as they are."""
    for count in range(1, len(items)):
        chunks = balanced_chunks(items, count)
        if all(good(chunk) for chunk in chunks):
            return chunks
    return [[item] for item in items]


def exploded(items: Sequence[Item], good: Callable[[Item], bool], more: str) -> Iterator[Item]:
    """Items that are too long alone, cut into several under the same head (with ``more`` after it)."""
    for item in items:
        if good(item) or not item.details:
            yield item
            continue
        yield from _cut(item, good, more)


def _cut(item: Item, good: Callable[[Item], bool], more: str) -> Iterator[Item]:
    pieces = [piece for detail in item.details for piece in sentences(detail)]
    current: tuple[str, ...] = ()
    head = item.head
    while pieces:
        piece = pieces.pop(0)
        if good(Item(head, (*current, piece))):
            current = (*current, piece)
            continue
        if current:
            yield Item(head, current)
            head, current = item.head + more if item.head else "", ()
            pieces.insert(0, piece)
            continue
        fit = _longest(piece, lambda part, head=head: good(Item(head, (part,))))  # type: ignore[misc]
        if fit == 0:  # not even a few characters fit: let the caller shorten it
            yield Item(head, (piece, *pieces))
            return
        current = (piece[:fit],)
        if piece[fit:]:
            pieces.insert(0, piece[fit:])
    if current:
        yield Item(head, current)


def _longest(text: str, good: Callable[[str], bool]) -> int:
    """How many characters from the start are good (binary search; at least 8 or none)."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if good(text[:middle]) else (low, middle - 1)
    return low if low >= min(8, len(text)) else 0
