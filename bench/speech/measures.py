"""Figures of a transcript against its reference: character errors, terms heard, names mixed up, speakers right."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from apps.minutes.model import Transcript

_DIGITS = "〇一二三四五六七八九"
_SMALL = {"十": 10, "百": 100, "千": 1000}
_BIG = {"万": 10**4, "億": 10**8}
_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_ENGLISH = {word: str(number) for number, word in enumerate(_WORDS.split())}
STEP = 0.05  # seconds between the moments at which speakers are compared


@dataclass(frozen=True)
class Quality:
    """``speakers``: share of the speech covered whose speaker is right; ``covered``: share of the speech with text."""

    errors: float
    terms_heard: int
    terms_said: int
    names_wrong: int
    speakers: float
    covered: float
    speakers_found: int
    speakers_real: int


def quality(transcript: Transcript, reference: dict[str, Any]) -> Quality:
    heard = "".join(segment.text for segment in transcript.segments)
    said = "".join(segment["text"] for segment in reference["segments"])
    terms = [term for term in reference["glossary"] if term in said]
    names = reference["participants"]
    right, covered, found = speaker_accuracy(transcript, reference["segments"])
    return Quality(
        error_rate(said, heard),
        sum(term in heard for term in terms),
        len(terms),
        sum(max(0, heard.count(name) - said.count(name)) for name in names),
        right,
        covered,
        found,
        len({segment["speaker"] for segment in reference["segments"]}),
    )


def error_rate(said: str, heard: str) -> float:
    """Character error rate after :func:`plain`: edit distance over the length of what was said."""
    one, two = plain(said), plain(heard)
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        previous, row = row, [i]
        for j, b in enumerate(two, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a != b)))
    return row[-1] / max(1, len(one))


def plain(text: str) -> str:
    """One spelling: NFKC, lower case, numbers as digits, no spaces or punctuation."""
    text = unicodedata.normalize("NFKC", text).lower().replace("パーセント", "%").replace("percent", "%")
    text = re.sub(r"(?<=\d),(?=\d)", "", text)
    text = re.sub(r"[a-z]+", lambda m: _ENGLISH.get(m[0], m[0]), text)
    decimal = rf"([{_DIGITS}]+)点([{_DIGITS}]+)"
    text = re.sub(decimal, lambda m: f"{_plain_digits(m[1])}.{_plain_digits(m[2])}", text)
    text = re.sub(r"(\d+)億(?:(\d+)万)?", lambda m: str(int(m[1]) * 10**8 + int(m[2] or 0) * 10**4), text)
    text = re.sub(r"(\d+)万(\d*)", lambda m: str(int(m[1]) * 10**4 + int(m[2] or 0)), text)
    text = re.sub(rf"[{_DIGITS}十百千][{_DIGITS}十百千万億]*", lambda m: str(_number(m[0])), text)
    return re.sub(r"[^\w.%]|_", "", text).replace("。", "")


def _plain_digits(text: str) -> str:
    return "".join(str(_DIGITS.index(letter)) for letter in text)


def _number(text: str) -> int:
    total = section = digit = 0
    for letter in text:
        if letter in _DIGITS:
            digit = _DIGITS.index(letter)
        elif letter in _SMALL:
            section, digit = section + (digit or 1) * _SMALL[letter], 0
        else:
            total, section, digit = total + (section + digit) * _BIG[letter], 0, 0
    return total + section + digit


def speaker_accuracy(transcript: Transcript, lines: Sequence[dict[str, Any]]) -> tuple[float, float, int]:
    """Share of covered speech with the right speaker under the best mapping, share covered, speakers found."""
    pairs: Counter[tuple[str, str | None]] = Counter()
    moments = 0
    for line in lines:
        for step in range(int((line["end"] - line["start"]) / STEP)):
            time, moments = line["start"] + step * STEP, moments + 1
            found = next((s.speaker_id for s in transcript.segments if s.start <= time < s.end), None)
            pairs[(line["speaker"], found)] += found is not None
    real = sorted({name for name, _ in pairs})
    found_ids = sorted({name for _, name in pairs if name})
    padded = [*found_ids, *[""] * max(0, len(real) - len(found_ids))]
    mappings = permutations(padded, len(real))
    right = max(sum(pairs[pair] for pair in zip(real, mapping, strict=True)) for mapping in mappings)
    covered = sum(pairs.values())
    return right / max(1, covered), covered / max(1, moments), len(found_ids)
