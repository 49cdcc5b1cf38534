"""Japanese morphemes with their person-name evidence, by Sudachi (small dictionary), one tokenizer per thread."""

from __future__ import annotations

import threading
from functools import lru_cache, partial
from typing import Any, NamedTuple

from sudachipy import dictionary, tokenizer

_BYTES = 40_000  # Sudachi refuses more than 49,149 bytes at a time
_LOCAL = threading.local()


class Token(NamedTuple):
    """A morpheme: offsets, and its part of speech in the words the name rules use.

    ``kind``: family, given, person (a name of unknown part), place, proper (other proper noun), noun, suffix, particle,
    verb, number, symbol, other.
    """

    start: int
    end: int
    kind: str


_token = partial(tuple.__new__, Token)  # as Token(…), without the call in between


@lru_cache(maxsize=1)
def _dictionary() -> Any:
    return dictionary.Dictionary(dict="small")


def _tokenizer() -> Any:
    if not hasattr(_LOCAL, "tokenizer"):
        _LOCAL.tokenizer = _dictionary().tokenizer(mode=tokenizer.Tokenizer.SplitMode.C, fields={"pos"})
    return _LOCAL.tokenizer


_KINDS: dict[int, str] = {}  # the dictionary's number of a part of speech → kind; a few hundred


def _kind(pos: tuple[str, ...]) -> str:
    names = {"姓": "family", "名": "given", "一般": "person"}
    if pos[1] == "固有名詞":
        return names[pos[3]] if pos[2] == "人名" else "place" if pos[2] == "地名" else "proper"
    table = {"名詞": "noun", "接尾辞": "suffix", "助詞": "particle", "動詞": "verb", "補助記号": "symbol", "空白": "symbol"}
    return "number" if pos[1] == "数詞" else table.get(pos[0], "other")


def _chunks(text: str) -> list[tuple[int, str]]:
    """Pieces under Sudachi's limit, cut after a newline or 。 where there is one."""
    limit = _BYTES // 4
    if len(text) <= limit:
        return [(0, text)] if text else []
    pieces, position = [], 0
    while position < len(text):
        end = min(len(text), position + limit)
        if end < len(text):
            cut = max(text.rfind("\n", position, end), text.rfind("。", position, end))
            end = cut + 1 if cut > position else end
        pieces.append((position, text[position:end]))
        position = end
    return pieces


def tokens(text: str) -> list[Token]:
    """All morphemes of ``text`` in order, offsets in code points."""
    found: list[Token] = []
    known = _KINDS
    for offset, piece in _chunks(text):
        for m in _tokenizer().tokenize(piece):
            kind = known.get(number := m.part_of_speech_id())
            if kind is None:
                kind = known[number] = _kind(m.part_of_speech())
            found.append(_token((m.begin() + offset, m.end() + offset, kind)))
    return found


@lru_cache(maxsize=20_000)
def kinds(word: str) -> frozenset[str]:
    """Every part of speech the dictionary knows for ``word``, empty if unknown."""
    return frozenset(_kind(m.part_of_speech()) for m in _dictionary().lookup(word))
