"""Words with times and speakers → segments that a person reads and evidence cites. Pure.

A segment belongs to one speaker; it ends at a pause, and at a sentence end once it is long enough to be read. Starts
never decrease, segments never overlap, every word is in exactly one segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from apps.minutes.model import Segment, Word
from apps.minutes.speech.listening import Stretch
from apps.minutes.speech.vad import Span

PAUSE: Final = 0.8  # seconds of silence that end a segment
FULL: Final = 4.0  # seconds after which a segment ends with the sentence
LONGEST: Final = 20.0  # seconds after which it ends at the next word
SUSPECT: Final = 0.45  # mean word probability below which a segment is marked
_SENTENCE_END = re.compile(r"[。！？!?]\s*\Z|(?<!\d)\.\s*\Z")
_STRAY_LONGEST: Final = 8  # letters
CONTINUES = re.compile(r"(?:が|けれ|けど|ので|のに|から|か|ね|よ|わ|な|と|し|って|という|もの|こと|。|、|？)")
_ANSWER = re.compile(r"(?:はい|ええ|いえ|いいえ)[。、]?\Z")
_FINAL_FORM = re.compile(
    r"(?:です|ます|ました|でした|ません|ください|ましょう|でしょう|ですね|ますね|ですか|ますか|と思います)\s*\Z"
)


@dataclass(frozen=True)
class Spoken:
    """A word and the number of the voice that said it."""

    word: Word
    speaker: int


def clamp(words: Sequence[Word], spans: Sequence[Span]) -> list[Word]:
    """Words in order of time, not overlapping, and not stretched into silence.

    Whisper lets a word before a pause last until the next one; it then ends where voice activity ends.
    """
    fixed: list[Word] = []
    last = 0.0
    position = 0
    for word in words:
        start = max(word.start, last)
        end = max(word.end, start + 0.02)
        while position < len(spans) and spans[position][1] <= start:
            position += 1
        if position < len(spans) and spans[position][0] < end and spans[position][1] < end:
            end = max(start + 0.02, spans[position][1])
        fixed.append(word.model_copy(update={"start": round(start, 2), "end": round(end, 2)}))
        last = round(end, 2)
    return fixed


def settle_strays(words: Sequence[Word], gap: float = 0.25) -> list[Word]:
    """Put the beginning of a sentence behind the pause that really precedes it.

    Whisper tends to time the first word after a pause right behind the last one before it, where a sentence has just
    ended: 「…やります性｜能試験…」. Such a stray moves over the pause.
    """
    settled = list(words)
    for at in range(1, len(settled)):
        pause = settled[at].start - settled[at - 1].end
        if pause >= gap:
            first = _stray(settled, at)
            shift = settled[at].start - settled[at - 1].end if first < at else 0.0
            for index in range(first, at):
                word = settled[index]
                times = {"start": round(word.start + shift, 2), "end": round(word.end + shift, 2)}
                settled[index] = word.model_copy(update=times)
    return settled


def _stray(words: Sequence[Word], at: int) -> int:
    """Index of the first word of a stray that ends before ``at``; ``at`` when there is none."""
    stray = ""
    for first in range(at - 1, max(0, at - 5), -1):
        stray = words[first].text.strip() + stray
        if len(stray) > _STRAY_LONGEST:
            break
        before = "".join(word.text for word in words[max(0, first - 6) : first])
        if ends_sentence(before) and not CONTINUES.match(stray) and not _ANSWER.match(stray):
            return first
    return at


def ends_sentence(text: str) -> bool:
    """Whether the text ends with a sentence mark or a final form (です, ます, ました …)."""
    return bool(_SENTENCE_END.search(text) or _FINAL_FORM.search(text))


def group(spoken: Sequence[Spoken]) -> list[list[Spoken]]:
    """The words of each segment."""
    groups: list[list[Spoken]] = []
    for item in spoken:
        if groups and not _ends(groups[-1], item):
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _ends(group: Sequence[Spoken], following: Spoken) -> bool:
    """Whether a segment ends before the next word."""
    last = group[-1].word
    length = last.end - group[0].word.start
    if group[-1].speaker != following.speaker or length >= LONGEST:
        return True
    gap = following.word.start - last.end
    if gap >= PAUSE:
        return True
    text = "".join(item.word.text for item in group[-6:])
    sentence = ends_sentence(text) and not CONTINUES.match(following.word.text.strip())
    return sentence and length >= FULL


def make_segments(
    spoken: Sequence[Spoken], names: Sequence[str], stretches: Iterable[Stretch], language: str
) -> list[Segment]:
    """Segments ``s0001`` …, with what could not be understood marked as ``inaudible``."""
    bad = [s for s in stretches if s.outcome == "inaudible"]
    pieces = [_piece(items, names, language) for items in group(spoken)]
    for stretch in bad:
        _mark(pieces, stretch, names)
    pieces.sort(key=lambda piece: (piece.start, piece.end))
    return [piece.model_copy(update={"id": f"s{number:04d}"}) for number, piece in enumerate(pieces, 1)]


def _piece(items: Sequence[Spoken], names: Sequence[str], language: str) -> Segment:
    probability = sum(item.word.probability for item in items) / len(items)
    speaker = items[0].speaker
    return Segment(
        id="s0000",
        start=items[0].word.start,
        end=items[-1].word.end,
        speaker=names[speaker],
        speaker_id=f"S{speaker + 1}",
        text=readable("".join(item.word.text for item in items), language),
        confidence=round(probability, 3),
        marks=["suspect"] if probability < SUSPECT else [],
    )


def _mark(pieces: list[Segment], stretch: Stretch, names: Sequence[str]) -> None:
    """Mark the segments in an inaudible stretch; one without any becomes a segment of its own."""
    inside = [i for i, p in enumerate(pieces) if p.start < stretch.end and stretch.start < p.end]
    for index in inside:
        marks = [*dict.fromkeys([*pieces[index].marks, "inaudible"])]
        pieces[index] = pieces[index].model_copy(update={"marks": marks})
    if not inside:
        near = min(pieces, key=lambda p: abs(p.start - stretch.start), default=None)
        pieces.append(
            Segment(
                id="s0000",
                start=round(stretch.start, 2),
                end=round(stretch.end, 2),
                speaker=near.speaker if near else names[0],
                speaker_id=near.speaker_id if near else "S1",
                text="（聞き取り不能）",
                confidence=0.0,
                marks=["inaudible"],
                original=stretch.text or None,
            )
        )


def readable(text: str, language: str) -> str:
    """White space tidied; Japanese gets its own marks, no spaces between its letters, and an end to its sentence."""
    text = " ".join(text.split())
    if language != "ja":
        return text
    text = re.sub(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])", "", text)
    text = re.sub(r"(?<=[^\x00-\x7f])[,，]", "、", text)
    text = re.sub(r"(?<=[^\x00-\x7f])\?", "？", re.sub(r"(?<=[^\x00-\x7f])!", "！", text))
    return text + "。" if _FINAL_FORM.search(text) else text
