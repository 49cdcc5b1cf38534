"""Whisper over packed chunks of speech, several at once (faster-whisper's batched pipeline, CTranslate2).

It knows nothing of files, stages or speakers: samples in, words with times out. Text of one chunk never conditions
the next, so that an error stays where it is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer

from apps.minutes.messages import problem
from apps.minutes.model import Word
from apps.minutes.speech.decode import RATE, Samples
from kakehashi.errors import BadInput, NotReady
from kakehashi.paths import Home

WINDOW_SECONDS: Final = 30  # what Whisper hears at once
PROMPT_TOKENS: Final = 223  # room for hotwords: half of Whisper's context
EMBEDDED: Final = "embedded:"


@dataclass(frozen=True)
class Recipe:
    """How to decode. The later recipes are for windows that came out wrong: see :data:`RECIPES`."""

    name: str
    hotwords: bool = True
    temperature: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0


DEFAULT: Final = Recipe("default")
# Without the glossary first: a long prompt makes Whisper skip sentences. A repetition penalty ends loops, but also
# swallows words really repeated, so it comes later.
RECIPES: Final = (
    Recipe("no_hotwords", hotwords=False),
    Recipe("no_repeat", hotwords=False, repetition_penalty=1.1, no_repeat_ngram_size=3),
    Recipe("warmer", hotwords=False, temperature=0.4, repetition_penalty=1.1),
)


@dataclass(frozen=True)
class Hints:
    """What is probably said: terms of the glossary, and what the participants are called."""

    terms: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heard:
    """What Whisper wrote for one chunk; times of the words in seconds from the chunk's beginning."""

    words: list[Word]
    log_probability: float
    no_speech: float

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words)


class Recogniser:
    """A loaded model. Raises NotReady when it is not installed or damaged."""

    def __init__(self, folder: Path, threads: int = 0) -> None:
        name = folder.name
        if not (folder / "model.bin").is_file():
            raise problem(NotReady, "speech_model_missing", model=name)
        logging.getLogger("faster_whisper").setLevel(logging.WARNING)
        try:
            self._model = WhisperModel(
                str(folder), compute_type="int8", cpu_threads=threads or _cores(), local_files_only=True
            )
        except (RuntimeError, ValueError, OSError) as error:
            reason = str(error).splitlines()[0][:120]
            raise problem(NotReady, "speech_model_damaged", model=name, detail=reason) from error
        self._pipeline = BatchedInferencePipeline(self._model)

    def check_language(self, language: str) -> None:
        if language not in self._model.supported_languages:
            raise problem(BadInput, "language_unknown", language=language)

    def detect_language(self, chunks: Sequence[Samples]) -> tuple[str, float]:
        """The language of most of the given chunks and its mean probability."""
        votes: dict[str, float] = {}
        for samples in chunks:
            language, probability, _ = self._model.detect_language(audio=samples)
            votes[language] = votes.get(language, 0.0) + probability
        best = max(votes, key=lambda language: votes[language])
        return best, votes[best] / len(chunks)

    def fitting(self, hints: Hints, language: str) -> Hints:
        """The names, and as many terms, in order, as fit into Whisper's prompt together."""
        for number in range(len(hints.terms), 0, -1):
            fitted = Hints(hints.terms[:number], hints.names)
            if len(self._model.hf_tokenizer.encode(" " + prompt(fitted, language)).ids) < PROMPT_TOKENS:
                return fitted
        return Hints((), hints.names[:20])

    def likelihood(self, samples: Samples, language: str, texts: Sequence[str]) -> list[float]:
        """How likely each text is for the same sound, without any prompt (sum of log probabilities)."""
        tokenizer = Tokenizer(self._model.hf_tokenizer, True, task="transcribe", language=language)
        features = self._model.feature_extractor(samples)[..., :-1]
        encoded = self._model.encode(pad_or_trim(features))
        scores = []
        for text in texts:
            tokens = tokenizer.encode(text)
            [aligned] = self._model.model.align(encoded, tokenizer.sot_sequence, [tokens], features.shape[-1])
            scores.append(float(np.log(np.maximum(aligned.text_token_probs, 1e-9)).sum()))
        return scores

    def hear(self, chunks: Sequence[Samples], language: str, hints: Hints, recipe: Recipe) -> list[Heard]:
        """Decode chunks of at most 30 s together."""
        samples = np.zeros(WINDOW_SECONDS * RATE * len(chunks), np.float32)
        clips = []
        for index, chunk in enumerate(chunks):
            first = index * WINDOW_SECONDS * RATE
            samples[first : first + chunk.size] = chunk
            clips.append({"start": first / RATE, "end": (first + chunk.size) / RATE})
        segments, _ = self._pipeline.transcribe(
            samples,
            language=language,
            clip_timestamps=clips,
            batch_size=len(chunks),
            word_timestamps=True,
            hotwords=prompt(hints, language) or None if recipe.hotwords else None,
            temperature=recipe.temperature,
            repetition_penalty=recipe.repetition_penalty,
            no_repeat_ngram_size=recipe.no_repeat_ngram_size,
        )
        heard = [Heard([], -10.0, 1.0)] * len(chunks)
        for segment in segments:
            index = segment.seek // (WINDOW_SECONDS * self._model.frames_per_second)
            words = [_word(word, index * WINDOW_SECONDS) for word in segment.words or []]
            heard[index] = Heard(words, segment.avg_logprob, segment.no_speech_prob)
        return heard


def _word(word: Any, offset: float) -> Word:
    start, end = round(float(word.start) - offset, 2), round(float(word.end) - offset, 2)
    return Word(start=start, end=end, text=word.word, probability=round(float(word.probability), 3))


def prompt(hints: Hints, language: str) -> str:
    """Names and terms in a sentence: a bare list makes Whisper leave out punctuation, a sentence makes it hear better
    (character error rate on three meetings 0.083 instead of 0.103, see bench/speech)."""
    ja = language == "ja"
    if not ja:
        about = f"This meeting is about {', '.join(hints.terms)}." if hints.terms else ""
        return f"{about} The participants are {', '.join(hints.names)}.".strip() if hints.names else about
    about = f"今日の会議では、{'、'.join(hints.terms)}について話します。" if hints.terms else ""
    return f"{about}参加者は、{'、'.join(f'{name}さん' for name in hints.names)}です。" if hints.names else about


def model_folder(setting: str, home: Home) -> Path:
    """The folder that the setting ``minutes.whisper`` names."""
    if setting.startswith(EMBEDDED):
        return home.models / setting.removeprefix(EMBEDDED)
    return Path(setting).expanduser()


@lru_cache(maxsize=1)
def load(folder: Path, threads: int) -> Recogniser:
    """One model per process; loading takes about a second."""
    return Recogniser(folder, threads)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
