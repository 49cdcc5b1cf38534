"""Listening with doubt: recognise chunks, find what cannot be right, listen to those stretches again.

What stays wrong becomes an inaudible stretch that keeps what Whisper wrote; nothing vanishes without a trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from pydantic import Field

from apps.minutes.model import Model, Word
from apps.minutes.speech import hallucination
from apps.minutes.speech.decode import PcmFile, Samples
from apps.minutes.speech.hallucination import Suspicion
from apps.minutes.speech.recognise import DEFAULT, RECIPES, Heard, Hints, Recogniser
from apps.minutes.speech.vad import Chunk, Probabilities, Span

POOR_LOG_PROBABILITY: Final = -1.0  # Whisper's own limits
NO_SPEECH: Final = 0.6
SPEECH_SHARE: Final = 0.6  # a hole counts as unheard speech only where voice activity is this sure
DOUBTFUL_NAME: Final = 0.02  # probability of a listed name below which the other names are tried in its place
NAME_MARGIN: Final = 1.5  # log probability by which another name must fit better
MIN_CONFIDENCE: Final = 0.3  # mean probability of the words that may fill a hole


class Stretch(Model):
    """A stretch that was listened to again. ``text`` is what Whisper had written there at first."""

    kind: hallucination.Kind
    start: float
    end: float
    text: str
    outcome: Literal["heard", "kept", "inaudible", "nothing"]
    recipe: str | None = None


class ChunkText(Model):
    """One chunk as recognised: words with times of the recording, in order, and what was listened to again."""

    index: int
    start: float
    end: float
    words: list[Word]
    log_probability: float
    no_speech: float
    stretches: list[Stretch] = Field(default_factory=list)


@dataclass
class _Case:
    """A suspicious stretch on its way through the recipes."""

    chunk: int
    suspicion: Suspicion
    region: Chunk
    original: list[Word]
    log_probability: float
    answer: list[Word] | None = None
    recipe: str | None = None
    no_speech: float = 0.0


@dataclass
class Listener:
    """Everything needed to hear chunks of one recording."""

    recogniser: Recogniser
    pcm: PcmFile
    probability: Probabilities
    spans: Sequence[Span]
    language: str
    hints: Hints

    def listen(self, chunks: Sequence[Chunk]) -> list[ChunkText]:
        """Recognise a batch of chunks, with second hearings."""
        heard = self.recogniser.hear([self.audio(c) for c in chunks], self.language, self.hints, DEFAULT)
        texts = [_chunk_text(chunk, one) for chunk, one in zip(chunks, heard, strict=True)]
        cases = [case for position, text in enumerate(texts) for case in self._cases(position, text, chunks[position])]
        self._hear_again(cases)
        for case in cases:
            self._settle(texts[case.chunk], case)
        for text in texts:
            self._check_names(text)
        return texts

    def _check_names(self, text: ChunkText) -> None:
        """Whether a name that Whisper hardly hears is another participant's: a list of names tempts it to mix them up.

        Word probabilities are those without the prompt, so a name that is there only because it was listed stands out.
        """
        for utterance in utterances(text.words):
            for name, inside in _named(utterance, self.hints.names):
                if min(word.probability for word in inside) >= DOUBTFUL_NAME:
                    continue
                better = self._likelier(utterance, name, inside)
                if better is not None:
                    text.words = [word for word in text.words if not any(word is other for other in inside[1:])]
                    _rename(text.words, inside[0], _joined(inside).replace(name, better, 1), inside[-1].end)
                    kind: hallucination.Kind = "name"
                    start, end = inside[0].start, inside[-1].end
                    text.stretches.append(Stretch(kind=kind, start=start, end=end, text=name, outcome="heard"))

    def _likelier(self, utterance: Sequence[Word], name: str, inside: Sequence[Word]) -> str | None:
        """Another name that fits the sound of the utterance clearly better."""
        at = next(index for index, word in enumerate(utterance) if word is inside[0])
        before, after = _joined(utterance[:at]), _joined(utterance[at + len(inside) :])
        names = [name, *(other for other in self.hints.names if other != name)]
        texts = [before + _joined(inside).replace(name, other, 1) + after for other in names]
        start, end = utterance[0].start - 0.3, utterance[-1].end + 0.3
        scores = self.recogniser.likelihood(self.pcm.read(max(0.0, start), min(end, start + 29)), self.language, texts)
        best = int(np.argmax(scores))
        return names[best] if scores[best] - scores[0] > NAME_MARGIN else None

    def audio(self, chunk: Chunk) -> Samples:
        return np.concatenate([self.pcm.read(start, end) for start, end in chunk.pieces])

    def _cases(self, position: int, text: ChunkText, chunk: Chunk) -> list[_Case]:
        found = self._suspicions(text.words, chunk, text.log_probability, text.no_speech)
        cases = []
        for suspicion in _apart(found):
            region = self._region(suspicion, chunk)
            inside = _within(text.words, region.start, region.end)
            cases.append(_Case(position, suspicion, region, inside, text.log_probability))
        return cases

    def _suspicions(
        self, words: Sequence[Word], chunk: Chunk, log_probability: float, no_speech: float
    ) -> list[Suspicion]:
        """What is wrong with a text, the gravest first."""
        whole = (chunk.start, chunk.end)
        text = "".join(word.text for word in words)
        if hallucination.is_echo(text, (*self.hints.terms, *self.hints.names)):
            return [Suspicion("echo", *whole)]
        if words and log_probability < POOR_LOG_PROBABILITY:
            return [Suspicion("noise", *whole)]
        loop = hallucination.find_loop(words)
        if loop:
            return [Suspicion("loop", words[loop.first].start, words[loop.last].end)]
        if hallucination.compression(text) > hallucination.COMPRESSION_LIMIT:
            return [Suspicion("loop", *whole)]
        fast = hallucination.too_fast(words, self.language)
        found = [fast] if fast else []
        found += [Suspicion("phrase", *span) for span in self._invented(words)]
        return found + [Suspicion("unheard", *hole) for hole in self._holes(words, chunk)]

    def _invented(self, words: Sequence[Word]) -> Iterable[Span]:
        """Utterances that are a known phrase where nobody speaks like that."""
        for utterance in utterances(words):
            phrase = hallucination.is_known_phrase("".join(word.text for word in utterance))
            if phrase and hallucination.is_invented(utterance, self.probability):
                yield utterance[0].start, utterance[-1].end

    def _holes(self, words: Sequence[Word], chunk: Chunk) -> list[Span]:
        inside = [(max(a, chunk.start), min(b, chunk.end)) for a, b in self.spans if b > chunk.start and a < chunk.end]
        holes = hallucination.unheard(words, inside)
        return [hole for hole in holes if hallucination.speech_share(hole, self.probability) >= SPEECH_SHARE]

    def _region(self, suspicion: Suspicion, chunk: Chunk) -> Chunk:
        """What to play again: the hole itself, or the spans of speech that the suspicion touches."""
        start, end = suspicion.start, suspicion.end
        if suspicion.kind != "unheard":
            touched = [span for span in self.spans if span[1] > start and span[0] < end]
            start = min([start, *(span[0] for span in touched)])
            end = max([end, *(span[1] for span in touched)])
        pieces = [(max(a, start), min(b, end)) for a, b in chunk.pieces if b > start and a < end]
        return Chunk(chunk.index, tuple(pieces))

    def _hear_again(self, cases: Sequence[_Case]) -> None:
        """Try one recipe after the other until a stretch comes out sound."""
        for recipe in RECIPES:
            waiting = [case for case in cases if case.answer is None]
            if not waiting:
                return
            audio = [self.audio(case.region) for case in waiting]
            for case, heard in zip(
                waiting, self.recogniser.hear(audio, self.language, self.hints, recipe), strict=True
            ):
                words = _placed(case.region, heard)
                case.no_speech = heard.no_speech
                if self._is_sound(words, case.region, heard):
                    case.answer, case.recipe = words, recipe.name

    def _is_sound(self, words: Sequence[Word], region: Chunk, heard: Heard) -> bool:
        if not words or sum(word.probability for word in words) / len(words) < MIN_CONFIDENCE:
            return False
        return not self._suspicions(words, region, heard.log_probability, heard.no_speech)

    def _settle(self, text: ChunkText, case: _Case) -> None:
        """Put the better words in place, or say that the stretch is inaudible."""
        kind, region = case.suspicion.kind, case.region
        said = "".join(word.text for word in case.original)
        stretch = Stretch(kind=kind, start=region.start, end=region.end, text=said, outcome="kept", recipe=case.recipe)
        if case.answer is not None:
            stretch.outcome = "heard"
            _replace(text, region, case.answer)
        elif self._plausible(case):
            stretch.outcome = "kept"
        elif kind == "unheard":
            stretch.outcome = "inaudible"
        elif kind == "loop" and (kept := self._first_round(case)):
            stretch.outcome, stretch.start = "inaudible", kept[-1].end
            _replace(text, region, kept)
        else:
            stretch.outcome = "inaudible"
            _replace(text, region, [])
        text.stretches.append(stretch)

    def _plausible(self, case: _Case) -> bool:
        """Whether odd text can stay: people do repeat themselves, and Whisper is unsure of much that is right."""
        words, kind = case.original, case.suspicion.kind
        if kind in ("echo", "phrase", "unheard") or not words:
            return False
        sure = sum(word.probability for word in words) / len(words)
        if kind == "noise":
            return case.no_speech < NO_SPEECH and sure >= MIN_CONFIDENCE
        spoken = hallucination.speech_share((words[0].start, words[-1].end), self.probability) >= 0.8
        return kind == "loop" and spoken and sure >= 0.6 and not hallucination.too_fast(words, self.language)

    def _first_round(self, case: _Case) -> list[Word]:
        """A loop once: what may have been said before Whisper got stuck."""
        loop = hallucination.find_loop(case.original)
        if loop is None:
            return []
        per_round = max(1, (loop.last - loop.first + 1) // loop.count)
        return case.original[: loop.first + per_round]


def utterances(words: Sequence[Word], gap: float = 0.6) -> list[list[Word]]:
    """Words grouped at sentence ends and pauses."""
    groups: list[list[Word]] = []
    for word in words:
        apart = not groups or word.start - groups[-1][-1].end > gap or groups[-1][-1].text.rstrip()[-1:] in "。？！?!."
        if apart:
            groups.append([word])
        else:
            groups[-1].append(word)
    return groups


def _named(words: Sequence[Word], names: Sequence[str]) -> list[tuple[str, list[Word]]]:
    """Each listed name in an utterance, with the words that spell it."""
    text = _joined(words)
    owner = [index for index, word in enumerate(words) for _ in word.text]
    found = []
    for name in names:
        at = text.find(name)
        while at >= 0:
            found.append((name, list(words[owner[at] : owner[at + len(name) - 1] + 1])))
            at = text.find(name, at + len(name))
    return found


def _rename(words: list[Word], old: Word, text: str, end: float) -> None:
    """Put a word in the place of another, up to ``end``."""
    at = next(index for index, word in enumerate(words) if word is old)
    words[at] = old.model_copy(update={"text": text, "end": end, "probability": 0.5})


def _joined(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words)


def _chunk_text(chunk: Chunk, heard: Heard) -> ChunkText:
    return ChunkText(
        index=chunk.index,
        start=chunk.start,
        end=chunk.end,
        words=_placed(chunk, heard),
        log_probability=round(heard.log_probability, 3),
        no_speech=round(heard.no_speech, 3),
    )


def _placed(chunk: Chunk, heard: Heard) -> list[Word]:
    """Words at their times in the recording. A word over a joint stays on the side of its middle."""
    placed = []
    for word in heard.words:
        start, end = chunk.original_time(word.start), chunk.original_time(word.end)
        if end - start > word.end - word.start + 0.05:
            middle = chunk.original_time((word.start + word.end) / 2)
            half = (word.end - word.start) / 2
            start, end = max(start, middle - half), min(end, middle + half)
        placed.append(word.model_copy(update={"start": round(start, 2), "end": round(end, 2)}))
    return placed


def _apart(found: Sequence[Suspicion]) -> list[Suspicion]:
    """Suspicions that do not overlap, the graver (earlier in the list) first."""
    kept: list[Suspicion] = []
    for suspicion in found:
        if all(suspicion.end <= other.start or suspicion.start >= other.end for other in kept):
            kept.append(suspicion)
    return kept


def _within(words: Sequence[Word], start: float, end: float) -> list[Word]:
    return [word for word in words if start <= (word.start + word.end) / 2 <= end]


def _replace(text: ChunkText, region: Chunk, words: Sequence[Word]) -> None:
    gone = {id(word) for word in _within(text.words, region.start, region.end)}
    kept = [word for word in text.words if id(word) not in gone]
    text.words = sorted([*kept, *words], key=lambda word: (word.start + word.end) / 2)
