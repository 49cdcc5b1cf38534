"""Whether the words of a sentence come from the material, or are general words of business prose."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from apps.common.japanese.normalise import half_width

_RUN = re.compile(r"[一-鿿々]{2,}|[ァ-ヺー]{2,}|[A-Za-z][A-Za-z'-]{2,}")


def _words_of(name: str) -> str:
    lines = (Path(__file__).parent / name).read_text("utf-8").splitlines()
    return " ".join(line for line in lines if not line.startswith("#"))


@lru_cache
def lexicon() -> str:
    """The general Japanese words, as one text to look into."""
    return _words_of("lexicon.txt")


@lru_cache
def _english() -> frozenset[str]:
    return frozenset(_words_of("lexicon_en.txt").split())


def unsupported(text: str, known: str, language: str) -> str:
    """The first content word that is neither in the material nor a general business word, as a reason; "" for none."""
    if language == "en":
        return _unsupported_english(text, known)
    haystack = half_width(known) + " " + lexicon()
    missing = [run for run in _RUN.findall(half_width(text)) if not covered(run, haystack)]
    return f"「{missing[0]}」は材料にありません" if missing else ""


def covered(run: str, haystack: str) -> bool:
    """Whether a run of characters can be put together from pieces of the known text; one loose kanji is forgiven."""
    position, loose = 0, 0
    whole = re.match(r"[ァ-ヺー]|[A-Za-z]", run) is not None
    if whole:
        return run.casefold() in haystack.casefold()
    while position < len(run):
        end = next((e for e in range(len(run), position + 1, -1) if run[position:e] in haystack), position + 1)
        loose += 1 if end == position + 1 and f" {run[position]} " not in f" {lexicon()} " else 0
        position = end
    return loose <= (1 if len(run) >= 4 else 0)


def _unsupported_english(text: str, known: str) -> str:
    stems = {_stem(w) for w in re.findall(r"[a-z][a-z'-]+", known.lower())}
    for word in re.findall(r"[A-Za-z][A-Za-z'-]{2,}", text):
        if word.lower() not in _english() and _stem(word.lower()) not in stems:
            return f"'{word}' is not in the material"
    return ""


def _stem(word: str) -> str:
    return re.sub(r"(?:ing|ed|es|s|ly|tion|al|er|'s|e)$", "", word) or word
