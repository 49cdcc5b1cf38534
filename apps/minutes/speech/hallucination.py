"""Text that nobody said, and speech that was not written down: what Whisper does to silence, noise and hard passages.

Pure functions over words with times and the probabilities of speech. They only point; nothing is deleted here.
A phrase is suspicious only where timing or voice activity disagree with it: 「ありがとうございました」 is mostly real.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from apps.minutes.model import Word
from apps.minutes.speech.vad import STEP, Probabilities, Span

Kind = Literal["loop", "too_fast", "unheard", "phrase", "echo", "noise", "name"]

# What Whisper writes into silence and music, in the languages it was trained on with subtitles.
KNOWN_PHRASES: Final = (
    "ご視聴ありがとうございました",
    "ご視聴ありがとうございます",
    "ご清聴ありがとうございました",
    "最後までご視聴いただきありがとうございます",
    "最後まで視聴してくださって本当にありがとうございます",
    "チャンネル登録よろしくお願いします",
    "チャンネル登録お願いします",
    "高評価とチャンネル登録",
    "次の動画でお会いしましょう",
    "おやすみなさい",
    "字幕作成者",
    "字幕視聴ありがとうございました",
    "ありがとうございました",
    "thank you for watching",
    "thanks for watching",
    "please subscribe",
    "see you in the next video",
    "subtitles by",
    "you",
)
_IGNORED: Final = re.compile(r"[\s、。，．,.!！?？・…]+")

LONGEST_UNIT: Final = 40  # characters of what is repeated
UNHEARD_SECONDS: Final = 2.0  # speech without a word for longer is a hole
MAX_CHARACTERS_PER_SECOND: Final = {"ja": 20.0, "zh": 15.0, "ko": 20.0}
OTHER_CHARACTERS_PER_SECOND: Final = 35.0
COMPRESSION_LIMIT: Final = 2.4  # Whisper's own


@dataclass(frozen=True)
class Suspicion:
    """A stretch of one chunk to listen to again: why, and from when to when."""

    kind: Kind
    start: float
    end: float


@dataclass(frozen=True)
class Loop:
    """``unit`` said ``count`` times in a row, as words ``first`` to ``last``."""

    unit: str
    count: int
    first: int
    last: int


def find_loop(words: Sequence[Word]) -> Loop | None:
    """The longest run of the same few characters, when people do not repeat themselves so often."""
    text, owner = _letters(words)
    best: Loop | None = None
    for length in range(1, LONGEST_UNIT + 1):
        for start, end in _periodic(text, length):
            count = (end - start) // length
            if _is_loop(length, count) and (best is None or length * count > len(best.unit) * best.count):
                first = end - length * count  # the first letters may belong to the sentence before
                best = Loop(text[first : first + length], count, owner[first], owner[end - 1])
    return best


def _periodic(text: str, length: int) -> Iterable[tuple[int, int]]:
    """Stretches of the text in which every character equals the one ``length`` before it."""
    start = 0
    for index in range(length, len(text) + 1):
        if index == len(text) or text[index] != text[index - length]:
            yield start, index
            start = index - length + 1


def _is_loop(length: int, count: int) -> bool:
    """はいはいはい is speech; ten times あ、 four times a clause or three times a sentence are not."""
    return count >= 10 or (count >= 4 and length * count >= 20) or (count >= 3 and length >= 12)


def _letters(words: Sequence[Word]) -> tuple[str, list[int]]:
    """The words as one string without spaces and punctuation, and the word each character belongs to."""
    letters = [(c, index) for index, word in enumerate(words) for c in _IGNORED.sub("", word.text).lower()]
    return "".join(c for c, _ in letters), [index for _, index in letters]


def compression(text: str) -> float:
    """Bytes over compressed bytes: high where text repeats itself."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def unheard(words: Sequence[Word], spans: Sequence[Span]) -> list[Span]:
    """Stretches of speech with no word for :data:`UNHEARD_SECONDS` or more.

    A word that alignment has drawn out over a hole counts only for as long as its letters can last.
    """
    holes: list[Span] = []
    for start, end in spans:
        cursor = start
        for word in (w for w in words if w.end > start and w.start < end):
            if word.start - cursor >= UNHEARD_SECONDS:
                holes.append((cursor, word.start))
            cursor = max(cursor, min(word.end, word.start + 0.4 + 0.35 * len(word.text.strip())))
        if end - cursor >= UNHEARD_SECONDS:
            holes.append((cursor, end))
    return _joined(holes, words)


def _joined(holes: Sequence[Span], words: Sequence[Word]) -> list[Span]:
    """Holes with nothing but a breath between them as one: a sentence heard whole comes out better."""
    joined: list[Span] = []
    for start, end in holes:
        apart = not joined or start - joined[-1][1] > 1.0 or any(joined[-1][1] <= w.start < start for w in words)
        if apart:
            joined.append((start, end))
        else:
            joined[-1] = (joined[-1][0], end)
    return joined


def too_fast(words: Sequence[Word], language: str) -> Suspicion | None:
    """More than twenty characters in less time than anybody can say them."""
    limit = MAX_CHARACTERS_PER_SECOND.get(language, OTHER_CHARACTERS_PER_SECOND)
    first = 0
    letters = [len(_IGNORED.sub("", word.text)) for word in words]
    count = 0
    for last, word in enumerate(words):
        count += letters[last]
        while count - letters[first] >= 20:
            count -= letters[first]
            first += 1
        if count >= 20 and count > limit * max(word.end - words[first].start, 0.02):
            return Suspicion("too_fast", words[first].start, word.end)
    return None


def is_known_phrase(text: str) -> bool:
    """Whether an utterance is, in whole, one of the phrases Whisper invents (once or several times)."""
    letters = _IGNORED.sub("", text).lower()
    known = (_IGNORED.sub("", phrase).lower() for phrase in KNOWN_PHRASES)
    return bool(letters) and any(letters.replace(phrase, "") == "" for phrase in known)


def speech_share(span: Span, probability: Probabilities) -> float:
    """Mean probability of speech over a span."""
    first, last = int(span[0] / STEP), max(int(span[1] / STEP), int(span[0] / STEP) + 1)
    values = probability[first:last]
    return float(values.mean()) if values.size else 0.0


def is_invented(words: Sequence[Word], probability: Probabilities) -> bool:
    """Whether a known phrase is contradicted by voice activity, timing or Whisper's own confidence (two of three)."""
    start, end = words[0].start, words[-1].end
    letters = len(_IGNORED.sub("", "".join(word.text for word in words)))
    doubts = (
        speech_share((start, end), probability) < 0.5,
        end - start < 0.06 * letters or end - start > 1.0 * letters + 1.0,
        sum(word.probability for word in words) / len(words) < 0.5,
    )
    return sum(doubts) >= 2


def is_echo(text: str, hotwords: Sequence[str]) -> bool:
    """Whether the text only reads the glossary back: three or more terms and hardly anything else."""
    letters = _IGNORED.sub("", text)
    rest, found = letters, 0
    for term in sorted(hotwords, key=len, reverse=True):
        found += term in rest
        rest = rest.replace(term, "")
    return found >= 3 and len(rest) < 0.2 * len(letters)
