"""Glossary terms that speech recognition wrote by sound: 感情系 → 勘定系, 行こうリハーサル → 移行リハーサル.

Only where the reading is the same, to the sound, and no word of the dictionary stands there: 機会 is never made 機械.
What was heard stays in ``original``, and the mark ``glossary`` tells that code changed the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from apps.common.japanese.normalise import is_japanese
from apps.common.japanese.words import Word, reading, words
from apps.minutes.model import Segment, Transcript

MARK = "glossary"
SHORTEST = 4  # kana: shorter sounds are too common (為替 is カワセ)
LONGEST = 7  # words that a misheard term may have fallen into


def with_terms(transcript: Transcript, glossary: Sequence[str]) -> Transcript:
    """The transcript with terms of the glossary in place of other spellings of the same sound."""
    sounds = {_sound(term): term for term in glossary if is_japanese(term) and len(_sound(term)) >= SHORTEST}
    if not sounds or not transcript.language.startswith("ja"):
        return transcript
    copy = transcript.model_copy(deep=True)
    for segment in copy.segments:
        _correct(segment, sounds)
    return copy


def _correct(segment: Segment, sounds: dict[str, str]) -> None:
    text = segment.text
    for start, end, term in reversed(list(_misheard(text, sounds))):
        text = text[:start] + term + text[end:]
    if text != segment.text:
        segment.original = segment.original or segment.text
        segment.text, segment.marks = text, [*segment.marks, MARK]


def _misheard(text: str, sounds: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    """Spans of whole words that sound like a term without being it, longest first, not overlapping."""
    found, at = words(text), 0
    while at < len(found):
        match = next(
            (
                (n, t)
                for n in range(min(LONGEST, len(found) - at), 0, -1)
                if (t := _term(found[at : at + n], text, sounds))
            ),
            None,
        )
        if match is not None:
            yield found[at].start, found[at + match[0] - 1].end, match[1]
        at += match[0] if match else 1


def _term(span: Sequence[Word], text: str, sounds: dict[str, str]) -> str:
    said = text[span[0].start : span[-1].end]
    term = sounds.get("".join(_kana(w) for w in span), "")
    return term if term and said != term and not _in_place(span) else ""


def _in_place(span: Sequence[Word]) -> bool:
    """A single word of the dictionary that is no mere kana spelling: it may well be what was meant."""
    return len(span) == 1 and span[0].kind != "補助記号"


def _kana(word: Word) -> str:
    return (word.reading or word.text).replace("ー", "").replace("ッ", "")


@lru_cache
def _sound(term: str) -> str:
    return reading(term).replace("ー", "").replace("ッ", "")
