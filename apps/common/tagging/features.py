"""A line in its text → numbers of features. Names and figures are blanked: who and how much says nothing of what for."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from apps.common.japanese.normalise import is_japanese
from apps.common.japanese.words import words

BUCKETS = 1 << 16
_FIGURES = re.compile(r"[0-9〇一二三四五六七八九十百千万億]+(?=[月日時分円人件台%年週回枚社名か個歳代階号第割])|[0-9]+")
_LATIN = re.compile(r"[a-z]+(?:'[a-z]+)?|0|\?|!")
_LONG, _SHORT = 40, 12  # characters of a line


@dataclass(frozen=True)
class Line:
    """``group``: who says it, or the section it stands in; ``hints``: more features, as text."""

    text: str
    group: str
    hints: tuple[str, ...] = ()


@lru_cache(maxsize=16_384)
def _flat(text: str, names: tuple[str, ...]) -> str:
    flat = unicodedata.normalize("NFKC", text).lower()
    for name in names:
        flat = flat.replace(name.lower(), "〓")
    return re.sub(r"\s+", "" if is_japanese(flat) else " ", _FIGURES.sub("0", flat)).strip(" 。.")


@lru_cache(maxsize=16_384)
def _tokens(flat: str) -> tuple[str, ...]:
    if not is_japanese(flat):
        return tuple(_LATIN.findall(flat))
    return tuple("固" if w.pos[1] == "固有名詞" else w.base for w in words(flat) if w.kind not in ("補助記号", "空白"))


def _grams(items: Sequence[str], size: int) -> Iterable[str]:
    return ("\t".join(items[i : i + size]) for i in range(len(items) - size + 1))


@lru_cache(maxsize=16_384)
def _own(flat: str) -> tuple[str, ...]:
    """Features of the line alone: what it holds, how it begins, and above all how it ends."""
    found = [f"c{g}" for size in (2, 3, 4) for g in _grams(flat, size)] if is_japanese(flat) else []
    tokens = _tokens(flat)
    found += [f"w{g}" for size in (1, 2, 3) for g in _grams(("^", *tokens, "$"), size)]
    found += [f"e{flat[-size:]}" for size in (2, 3, 4, 5, 6, 8, 10)] + [f"s{flat[:size]}" for size in (2, 3, 5)]
    found += [f"t{'/'.join(tokens[-size:])}" for size in (1, 2, 3, 4, 5)]
    length = "short" if len(flat) <= _SHORT else "long" if len(flat) > _LONG else "middle"
    return (
        *found,
        f"length {length}",
        f"question {flat.endswith(('?', 'か', 'かな', 'かね'))}",
        f"name {'〓' in flat}",
    )


def _edge(prefix: str, flat: str) -> list[str]:
    """A neighbour, in short: how it ends and begins."""
    tokens = _tokens(flat)
    return [f"{prefix}e{flat[-size:]}" for size in (2, 4)] + [
        f"{prefix}{side}{'/'.join(part)}" for side, part in (("t", tokens[-2:]), ("h", tokens[:2]))
    ]


def features(lines: Sequence[Line], names: Iterable[str] = ()) -> list[list[int]]:
    """For each line the numbers (0 to BUCKETS − 1) of its features, each once. Pure, the same on every machine.

    ``names``: words that only name somebody here, such as the participants of a meeting.
    """
    blank = tuple(sorted({n for n in names if len(n) > 1 or not n.isascii()}, key=len, reverse=True))
    flats = [_flat(line.text, blank) for line in lines]
    return [sorted({zlib.crc32(f.encode()) % BUCKETS for f in _all(i, lines, flats)}) for i in range(len(lines))]


def _all(index: int, lines: Sequence[Line], flats: Sequence[str]) -> list[str]:
    found = [*_own(flats[index]), *(f"i{hint}" for hint in lines[index].hints), "always"]
    place = "first" if index < 3 else "last" if index >= len(lines) - 3 else "inside"
    found.append(f"place {place}")
    for step, prefix in ((-1, "<"), (1, ">")):
        other = index + step
        if not 0 <= other < len(lines):
            found.append(f"{prefix}none")
            continue
        same = lines[other].group == lines[index].group
        found += [f"{prefix}same {same}", *_edge(f"{prefix}{same:d}", flats[other])]
    return found
