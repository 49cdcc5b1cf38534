"""Who says which word: by channel where every speaker has one, else by voice.

Voices are compared over short units cut at pauses and sentence ends, never over the whole recording at once, so memory
does not grow with its length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from apps.minutes.model import Word
from apps.minutes.speech.cluster import Labels, by_appearance, cluster
from apps.minutes.speech.decode import FRAME, RATE, PcmFile, Samples, loudness
from apps.minutes.speech.encoder import WINDOW_SECONDS, Encoder, Vectors
from apps.minutes.speech.listening import utterances
from apps.minutes.speech.segments import CONTINUES, ends_sentence

UNIT_GAP: Final = 0.3  # seconds of silence between units
UNIT_LONGEST: Final = 5.0  # a longer unit may hold two speakers: it is cut at its widest gap
HOP: Final = 0.8  # seconds from one window to the next
BRIEF: Final = 0.9  # a unit this short needs a clear voice to be another speaker
MARGIN: Final = 0.06  # how much nearer that other voice must be
DIFFERENT: Final = 2.0  # loudness ratio that makes one channel the speaker's
BATCH: Final = 64  # units embedded at once


def units(words: Sequence[Word]) -> list[list[Word]]:
    """Words in stretches that one person probably speaks."""
    return [piece for part in utterances(words, UNIT_GAP) for unit in _sentences(part) for piece in _cut(unit)]


def _sentences(part: Sequence[Word]) -> list[list[Word]]:
    """Cut behind final forms: recognition leaves out many sentence marks."""
    found: list[list[Word]] = [[]]
    for word in part:
        text = "".join(w.text for w in found[-1][-6:])
        if found[-1] and ends_sentence(text) and not CONTINUES.match(word.text.strip()):
            found.append([])
        found[-1].append(word)
    return found


def _cut(unit: list[Word]) -> list[list[Word]]:
    """Halve a long unit at the widest gap in its middle part."""
    if len(unit) < 4 or unit[-1].end - unit[0].start <= UNIT_LONGEST:
        return [unit]
    inner = range(max(1, len(unit) // 4), len(unit) - len(unit) // 4)
    middle = len(unit) / 2
    at = max(inner, key=lambda i: (round(unit[i].start - unit[i - 1].end, 2), -abs(i - middle)))
    return [*_cut(unit[:at]), *_cut(unit[at:])]


def by_channel(words: Sequence[Word], pcm: PcmFile, channels: int) -> list[int] | None:
    """A speaker per word from the louder channel; None unless the channels really carry different people."""
    if channels < 2:
        return None
    levels = loudness(pcm.path, channels)
    loudest = [_channel(levels, word) for word in words]
    clear = [c for c in loudest if c is not None]
    shares = np.bincount(clear, minlength=channels) / max(1, len(words))
    if len(clear) < 0.8 * len(words) or int((shares > 0.05).sum()) < 2:
        return None
    filled: list[int] = []
    for channel in loudest:
        filled.append(channel if channel is not None else (filled[-1] if filled else clear[0]))
    return [int(label) for label in by_appearance(np.array(filled))]


def _channel(levels: Samples, word: Word) -> int | None:
    """The channel that is clearly louder than the others while the word is spoken."""
    first = int(word.start * RATE / FRAME)
    window = levels[first : max(first + 1, int(np.ceil(word.end * RATE / FRAME)))]
    if not len(window):
        return None
    means = np.sort(window.mean(axis=0))
    return int(window.mean(axis=0).argmax()) if means[-1] > DIFFERENT * max(float(means[-2]), 1e-6) else None


def by_voice(
    words: Sequence[Word], pcm: PcmFile, encoder: Encoder, count: int | None, tick: Callable[[float], None]
) -> list[int]:
    """A speaker per word from the voices. ``tick`` is called with the share done, 0 to 1."""
    parts = units(words)
    if not parts:
        return []
    vectors = np.concatenate(
        [_embed(parts[i : i + BATCH], pcm, encoder, tick, i / len(parts)) for i in range(0, len(parts), BATCH)]
    )
    seconds = np.array([part[-1].end - part[0].start for part in parts], np.float64)
    labels = _steady(cluster(vectors, seconds, count), vectors, seconds)
    return [int(label) for label, part in zip(labels, parts, strict=True) for _ in part]


def _embed(
    parts: Sequence[Sequence[Word]], pcm: PcmFile, encoder: Encoder, tick: Callable[[float], None], done: float
) -> Vectors:
    """One unit vector per unit: the mean of its windows."""
    tick(done)
    windows: list[Samples] = []
    owners: list[int] = []
    for number, part in enumerate(parts):
        sound = pcm.read(part[0].start, max(part[-1].end, part[0].start + 0.3))
        step, size = int(HOP * RATE), int(WINDOW_SECONDS * RATE)
        for start in range(0, max(1, sound.size - size // 2), step):
            windows.append(sound[start : start + size] if sound.size else np.zeros(1, np.float32))
            owners.append(number)
    embedded = encoder.embed(windows)
    sums = np.zeros((len(parts), embedded.shape[1]), np.float32)
    np.add.at(sums, owners, embedded)
    unit: Vectors = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return unit


def _steady(labels: Labels, vectors: Vectors, seconds: np.ndarray) -> Labels:
    """A brief unit stays with the speaker before it unless its voice is clearly another's."""
    number = int(labels.max()) + 1
    sums = np.stack([(vectors[labels == k] * seconds[labels == k, None]).sum(axis=0) for k in range(number)])
    centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    likeness = vectors @ centres.T
    steady = labels.copy()
    for index in range(1, len(labels)):
        before, now = steady[index - 1], labels[index]
        if seconds[index] < BRIEF and now != before and likeness[index, now] - likeness[index, before] < MARGIN:
            steady[index] = before
    return by_appearance(steady)


def encoder_file(models: Path) -> Path:
    """Where set-up puts the converted weights."""
    return models / "speaker" / "ge2e.npz"
