"""Recording → transcript, stage by stage: decode, voice activity, words, speakers, segments.

Each stage leaves its result in the work folder under a fingerprint of what it was made from. A killed process goes on
at the next batch of chunks; a failed stage is rerun alone; other settings make new results and keep the old.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from apps.common.progress import Progress, silent
from apps.minutes.messages import problem
from apps.minutes.model import Transcript, Word
from apps.minutes.speech import recognise, speakers
from apps.minutes.speech.decode import PcmFile, decode, full_disk_is_told
from apps.minutes.speech.encoder import Encoder
from apps.minutes.speech.listening import ChunkText, Listener
from apps.minutes.speech.recognise import Hints
from apps.minutes.speech.segments import Spoken, clamp, make_segments, settle_strays
from apps.minutes.speech.vad import Chunk, Probabilities, Span, pack, probabilities, speech_spans, split_long
from apps.minutes.text.people import person
from kakehashi.errors import BadInput
from kakehashi.settings import Settings

CHUNK_SECONDS: Final = 28.0
KEEP_GAP: Final = 0.6  # seconds of silence left between pieces of a chunk
BATCH: Final = 4  # chunks heard together: two cores gain nothing from more
MIN_SPEECH: Final = 0.4  # seconds of speech below which a recording is silent
DETECT_CHUNKS: Final = 3
# shares of the whole time, measured on two cores
SHARES: Final = {"decode": 0.04, "vad": 0.06, "speech": 0.72, "speakers": 0.18}


@dataclass(frozen=True)
class Job:
    """What is asked of one recording."""

    audio: Path
    work: Path
    settings: Settings
    hints: Hints
    language: str
    speaker_count: int | None


def transcribe(
    audio: Path,
    *,
    work: Path,
    settings: Settings,
    participants: Sequence[str] = (),
    glossary: Sequence[str] = (),
    language: str | None = None,
    speaker_count: int | None = None,
    progress: Progress = silent,
) -> Transcript:
    """Make the transcript of a recording.

    Raises BadInput for what cannot be used, NotReady for a missing model, Cancelled through ``progress``; what is done
    stays in ``work``.
    """
    work.mkdir(parents=True, exist_ok=True)
    count = speaker_count or (len(participants) if len(participants) > 1 else None)
    names = tuple(dict.fromkeys(_called(entry) for entry in participants if entry.strip()))
    terms = tuple(dict.fromkeys(t.strip() for t in glossary if t.strip()))
    job = Job(audio, work, settings, Hints(terms, names), language or "auto", count)
    with full_disk_is_told(work):
        return _Run(job, progress).transcript()


class _Run:
    """The stages of one recording, each reading what the one before left."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self.job, self._progress, self._began = job, progress, time.monotonic()
        self.timings: dict[str, float] = {}

    def transcript(self) -> Transcript:
        source = self._timed("decode", self._decode)
        probability, spans, chunks = self._timed("vad", lambda: self._vad(source))
        pcm = PcmFile(self.job.work / "audio.pcm")
        language, texts = self._timed("speech", lambda: self._hear(source, pcm, probability, spans, chunks))
        words = clamp(settle_strays([word for text in texts for word in text.words]), spans)
        if not words:
            raise self._silent(source)
        voices, how = self._timed("speakers", lambda: self._speakers(source, pcm, words))
        names = [_name(number, language) for number in range(max(voices) + 1)]
        stretches = [stretch for text in texts for stretch in text.stretches]
        spoken = [Spoken(word, voice) for word, voice in zip(words, voices, strict=True)]
        found = Transcript(
            language=language,
            segments=make_segments(spoken, names, stretches, language),
            speakers={f"S{number + 1}": name for number, name in enumerate(names)},
            meta={
                "audio": {"file": self.job.audio.name, **source},
                "recogniser": self.job.settings.minutes.whisper,
                "speakers_by": how,
                "speech_seconds": round(sum(end - start for start, end in spans), 2),
                "heard_again": [stretch.model_dump() for stretch in stretches],
                "timings_s": {name: round(spent, 2) for name, spent in self.timings.items()},
            },
        )
        _write(self.job.work / "transcript.json", found.model_dump(mode="json"))
        return found

    # ---- stages ----

    def _decode(self) -> dict[str, Any]:
        """Samples on disk; the hash of the recording names everything that follows."""
        work, digest = self.job.work, _sha256(self.job.audio)
        known = _read(work / "probe.json")
        if known and known["sha256"] == digest and (work / "audio.pcm").exists():
            return known
        decoded = decode(
            self.job.audio,
            work / "audio.pcm",
            max_hours=self.job.settings.minutes.max_hours,
            tick=lambda seconds: self._tell("decode", min(0.99, seconds / (seconds + 60))),
        )
        found = {"sha256": digest, **asdict(decoded)}
        _write(work / "probe.json", found)
        return found

    def _vad(self, source: dict[str, Any]) -> tuple[Probabilities, list[Span], list[Chunk]]:
        """Where somebody speaks, and speech packed into chunks."""
        path = self.job.work / f"vad-{source['sha256'][:16]}.npy"
        if path.exists():
            probability: Probabilities = np.load(path)
        else:
            blocks = PcmFile(self.job.work / "audio.pcm").blocks()
            length = max(source["duration"], 0.1)
            probability = probabilities(blocks, lambda seconds: self._tell("vad", min(1.0, seconds / length)))
            temporary = path.with_suffix(".tmp.npy")
            np.save(temporary, probability)
            temporary.replace(path)
        spans = speech_spans(probability)
        if sum(end - start for start, end in spans) < MIN_SPEECH:
            raise self._silent(source)
        return (
            probability,
            spans,
            pack(split_long(spans, probability, CHUNK_SECONDS), longest=CHUNK_SECONDS, keep_gap=KEEP_GAP),
        )

    def _hear(
        self, source: dict[str, Any], pcm: PcmFile, probability: Probabilities, spans: list[Span], chunks: list[Chunk]
    ) -> tuple[str, list[ChunkText]]:
        """Words of every chunk, a few chunks at a time, each saved before the next."""
        minutes = self.job.settings.minutes
        self._tell("speech", 0.0)
        folder = recognise.model_folder(minutes.whisper, self.job.settings.home)
        recogniser = recognise.load(folder, minutes.whisper_threads)
        language = self._language(recogniser, pcm, chunks)
        hints = recogniser.fitting(self.job.hints, language)
        listener = Listener(recogniser, pcm, probability, spans, language, hints)
        mark = _fingerprint(source["sha256"], minutes.whisper, language, asdict(hints), CHUNK_SECONDS)
        store = self.job.work / f"asr-{mark}"
        store.mkdir(exist_ok=True)
        texts: list[ChunkText] = []
        for first in range(0, len(chunks), BATCH):
            batch = chunks[first : first + BATCH]
            texts += _saved(store, batch) or _save(store, listener.listen(batch))
            self._tell("speech", min(1.0, (first + len(batch)) / len(chunks)))
        return language, texts

    def _language(self, recogniser: recognise.Recogniser, pcm: PcmFile, chunks: list[Chunk]) -> str:
        if self.job.language != "auto":
            recogniser.check_language(self.job.language)
            return self.job.language
        step = max(1, len(chunks) // DETECT_CHUNKS)
        some = [pcm.read(c.start, min(c.end, c.start + 30.0)) for c in chunks[::step][:DETECT_CHUNKS]]
        return recogniser.detect_language(some)[0]

    def _speakers(self, source: dict[str, Any], pcm: PcmFile, words: list[Word]) -> tuple[list[int], str]:
        """A voice per word, and how it was found: channels, voices or none."""
        self._tell("speakers", 0.0)
        channels = speakers.by_channel(words, pcm, source["channels"])
        if channels is not None:
            return channels, "channels"
        weights = speakers.encoder_file(self.job.settings.home.models)
        if self.job.speaker_count == 1 or not weights.exists():
            return [0] * len(words), "none"
        tick: Callable[[float], None] = lambda share: self._tell("speakers", share)  # noqa: E731
        return speakers.by_voice(words, pcm, Encoder(weights), self.job.speaker_count, tick), "voices"

    def _silent(self, source: dict[str, Any]) -> BadInput:
        minutes = f"{source['duration'] / 60:.1f}"
        return problem(BadInput, "audio_silent", file=self.job.audio.name, minutes=minutes)

    # ---- telling ----

    def _timed(self, stage: str, work: Callable[[], Any]) -> Any:
        began = time.monotonic()
        result = work()
        self.timings[stage] = time.monotonic() - began
        return result

    def _tell(self, stage: str, share: float) -> None:
        """Progress over all stages, with the time left from the pace so far."""
        names = list(SHARES)
        done = sum(SHARES[name] for name in names[: names.index(stage)]) + SHARES[stage] * share
        spent = time.monotonic() - self._began
        eta = spent / done * (1 - done) if done > 0.15 else None
        self._progress(stage, done, eta_s=eta)


def _called(entry: str) -> str:
    """What people say to a participant: the surname in Japanese, the first name in English."""
    calls = person(entry).calls
    return calls[min(1, len(calls) - 1)]


def _name(number: int, language: str) -> str:
    return f"話者{number + 1}" if language == "ja" else f"Speaker {number + 1}"


def _saved(store: Path, batch: Sequence[Chunk]) -> list[ChunkText] | None:
    """The texts of a batch if all of them are there."""
    found = [_read(store / f"{chunk.index:05d}.json") for chunk in batch]
    return [ChunkText(**one) for one in found if one is not None] if all(found) else None


def _save(store: Path, texts: list[ChunkText]) -> list[ChunkText]:
    for text in texts:
        _write(store / f"{text.index:05d}.json", text.model_dump(mode="json"))
    return texts


def _fingerprint(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, default=str).encode()).hexdigest()[:16]


def _sha256(path: Path) -> str:
    if not path.exists():
        raise problem(BadInput, "audio_missing", file=path.name)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    """A saved result; a half-written or damaged one counts as none."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None


def _write(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1))
    temporary.replace(path)
