"""Words, dictionary forms and readings by Sudachi (small dictionary), and how alike two readings are.

Speech recognition writes names by sound (佐久間 → 作間): compare readings, not spellings.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache

from sudachipy import Dictionary, SplitMode, Tokenizer

from apps.common.japanese.normalise import fold, to_katakana

PIECE = 12_000  # characters of up to four bytes

_local = threading.local()


@dataclass(frozen=True)
class Word:
    """One morpheme, ``text[start:end]``. ``pos`` are Sudachi's six levels, ``base`` the dictionary form."""

    text: str
    base: str
    reading: str
    pos: tuple[str, ...]
    start: int
    end: int

    @property
    def kind(self) -> str:
        """名詞, 動詞, 助詞 …"""
        return self.pos[0]


def _tokenizer() -> Tokenizer:
    if not hasattr(_local, "tokenizer"):  # one per thread: Sudachi's tokenizer keeps state
        _local.tokenizer = Dictionary(dict="small").tokenizer(mode=SplitMode.C)
    tokenizer: Tokenizer = _local.tokenizer
    return tokenizer


@lru_cache(maxsize=8192)
def words(text: str) -> tuple[Word, ...]:
    """The morphemes of a text of any length, in pieces that Sudachi takes (at most 49,149 bytes)."""
    return tuple(
        Word(
            m.surface(), m.dictionary_form(), m.reading_form(), tuple(m.part_of_speech()), at + m.begin(), at + m.end()
        )
        for at in range(0, len(text), PIECE)
        for m in _tokenizer().tokenize(text[at : at + PIECE])
    )


@lru_cache(maxsize=8192)
def reading(text: str) -> str:
    """Katakana reading; what has none (Latin, digits) stays as it is."""
    return "".join(to_katakana(w.reading or w.text) for w in words(fold(text)))


def content_words(text: str) -> set[str]:
    """Dictionary forms of what carries meaning: nouns, verbs, adjectives, numbers; no particles, no する."""
    return {
        w.base
        for w in words(text)
        if (w.kind in ("名詞", "形容詞", "形状詞") or (w.kind == "動詞" and w.pos[1] != "非自立可能"))
        and w.pos[1] not in ("助動詞語幹",)
    }


def edit_distance(left: str, right: str) -> int:
    """Levenshtein distance in characters."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def alike(left: str, right: str) -> float:
    """1.0 for the same sound, 0.0 for nothing in common; long vowels and small kana count half as much."""
    a, b = (reading(t).replace("ー", "").replace("ッ", "") for t in (left, right))
    if not a or not b:
        return 0.0
    return 1.0 - edit_distance(a, b) / max(len(a), len(b))
