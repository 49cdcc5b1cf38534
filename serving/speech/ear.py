"""Whisper (faster-whisper, CTranslate2), loaded when the first recording comes. Knows nothing of HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kakehashi.errors import BadInput, NotReady
from serving.speech.sound import Samples

Task = Literal["transcribe", "translate"]
_TEMPERATURES = (0.0, 0.2, 0.4)  # a passage that came out wrong is heard again a little warmer


@dataclass(frozen=True)
class Wish:
    """What is asked of one recording. ``language`` None: found out; ``hotwords``: words that are probably said."""

    task: Task
    language: str | None
    hotwords: str | None
    temperature: float | None
    words: bool


@dataclass(frozen=True)
class Word:
    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Segment:
    """A stretch of speech; times in seconds from the beginning of the recording."""

    text: str
    start: float
    end: float
    numbers: dict[str, float]
    words: tuple[Word, ...]


class Ear:
    """A model to be. ``folder``: a CTranslate2 Whisper model; ``threads`` 0: all cores. Used by one thread at a time."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder, self._threads = folder, threads
        self._model: Any = None

    @property
    def loaded(self) -> bool:
        return self._model is not None

    def listen(self, samples: Samples, wish: Wish) -> tuple[str, Iterator[Segment]]:
        """The language, and the segments as they are recognised. Raises NotReady, BadInput."""
        model = self._ready()
        if wish.language is not None and wish.language not in model.supported_languages:
            raise BadInput(f"Whisper does not know the language '{wish.language}'.", code="invalid_value")
        found, info = model.transcribe(
            samples,
            task=wish.task,
            language=wish.language,
            hotwords=wish.hotwords,
            temperature=_TEMPERATURES if wish.temperature is None else wish.temperature,
            condition_on_previous_text=False,  # so that an error stays where it is
            vad_filter=True,
            word_timestamps=wish.words,
        )
        return info.language, (_segment(item) for item in found)

    def _ready(self) -> Any:
        if self._model is None:
            if not (self._folder / "model.bin").is_file():
                raise NotReady(
                    f"The speech model {self._folder.name} is not installed.",
                    hint=f"Run: kakehashi models fetch {self._folder.name}",
                    code="speech_model_missing",
                )
            from faster_whisper import WhisperModel  # 1.5 s and 100 MB: not before it is needed

            threads = self._threads or len(os.sched_getaffinity(0))
            try:
                self._model = WhisperModel(
                    str(self._folder), compute_type="int8", cpu_threads=threads, local_files_only=True
                )
            except (RuntimeError, ValueError, OSError) as error:
                reason = str(error).splitlines()[0][:120]
                raise NotReady(f"The speech model cannot be loaded: {reason}", code="speech_model_damaged") from error
        return self._model


def _segment(found: Any) -> Segment:
    numbers = {
        "seek": found.seek,
        "temperature": found.temperature or 0.0,
        "avg_logprob": round(found.avg_logprob, 4),
        "compression_ratio": round(found.compression_ratio, 3),
        "no_speech_prob": round(found.no_speech_prob, 4),
    }
    words = tuple(Word(w.word, round(float(w.start), 2), round(float(w.end), 2)) for w in found.words or ())
    return Segment(found.text, round(float(found.start), 2), round(float(found.end), 2), numbers, words)
