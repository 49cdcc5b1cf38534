"""Where somebody speaks: Silero VAD over a recording in blocks, and speech packed into chunks for recognition.

The network's state is carried from block to block, so that memory does not grow with length and no cut is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from faster_whisper.vad import get_vad_model

from apps.minutes.speech.decode import RATE, Samples

WINDOW: Final = 512  # samples the network judges at once
STEP: Final = WINDOW / RATE  # 32 ms
CONTEXT: Final = 64  # samples of the window before that it also sees

Probabilities = npt.NDArray[np.float32]
Span = tuple[float, float]  # seconds


@dataclass(frozen=True)
class VadOptions:
    """``threshold`` starts speech and ``release`` ends it; times in seconds."""

    threshold: float = 0.5
    release: float = 0.35
    min_speech: float = 0.1
    min_silence: float = 0.3
    pad: float = 0.2


@dataclass(frozen=True)
class Chunk:
    """At most 30 s of speech that is recognised at once: pieces of the recording put together without long silences."""

    index: int
    pieces: tuple[Span, ...]

    @property
    def start(self) -> float:
        return self.pieces[0][0]

    @property
    def end(self) -> float:
        return self.pieces[-1][1]

    @property
    def duration(self) -> float:
        return sum(end - start for start, end in self.pieces)

    def original_time(self, time: float) -> float:
        """Time in the recording of a time within the packed audio."""
        for start, end in self.pieces:
            if time <= end - start:
                return start + max(0.0, time)
            time -= end - start
        return self.end


def probabilities(blocks: Iterable[Samples], tick: Callable[[float], None]) -> Probabilities:
    """Probability of speech for every 32 ms. ``tick`` is called with the seconds done."""
    session: Any = get_vad_model().session
    state = [np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)]
    context, rest, found = np.zeros(CONTEXT, np.float32), np.zeros(0, np.float32), [np.zeros(0, np.float32)]
    done = 0.0
    for block in _with_last(blocks):
        samples = np.concatenate([rest, block])
        whole = samples.size // WINDOW * WINDOW
        rest = samples[whole:]
        if not whole:
            continue
        windows = samples[:whole].reshape(-1, WINDOW)
        before = np.vstack([context, windows[:-1, -CONTEXT:]])
        context = windows[-1, -CONTEXT:]
        output, *state = session.run(None, {"input": np.hstack([before, windows]), "h": state[0], "c": state[1]})
        found.append(np.asarray(output, np.float32).reshape(-1))
        done += whole / RATE
        tick(done)
    return np.concatenate(found)


def _with_last(blocks: Iterable[Samples]) -> Iterable[Samples]:
    """The blocks, then one window of silence that completes the last one."""
    yield from blocks
    yield np.zeros(WINDOW - 1, np.float32)


def speech_spans(probability: Probabilities, options: VadOptions = VadOptions()) -> list[Span]:
    """Spans of speech in seconds, in order, not touching, padded by at most half of the silence between them."""
    spans = [s for s in _raw_spans(probability, options) if s[1] - s[0] >= options.min_speech]
    if not spans:
        return []
    limit = len(probability) * STEP
    edges = [0.0, *((a[1] + b[0]) / 2 for a, b in pairwise(spans)), limit]
    return [
        (max(start - options.pad, low), min(end + options.pad, high))
        for (start, end), (low, high) in zip(spans, pairwise(edges), strict=True)
    ]


def _raw_spans(probability: Probabilities, options: VadOptions) -> list[Span]:
    """Hysteresis: speech begins above ``threshold`` and ends once below ``release`` for ``min_silence``."""
    spans: list[Span] = []
    start: int | None = None
    quiet: int | None = None
    for index, value in enumerate(probability):
        if value >= options.threshold:
            start, quiet = (index if start is None else start), None
        elif start is not None and value < options.release:
            quiet = index if quiet is None else quiet
            if (index - quiet) * STEP >= options.min_silence:
                spans.append((start * STEP, quiet * STEP))
                start = quiet = None
    if start is not None:
        spans.append((start * STEP, (len(probability) if quiet is None else quiet) * STEP))
    return spans


def split_long(spans: Sequence[Span], probability: Probabilities, longest: float) -> list[Span]:
    """Cut spans longer than ``longest`` seconds where speech is least likely, in the second half of the limit."""
    result: list[Span] = []
    for start, end in spans:
        while end - start > longest:
            first, last = round((start + longest / 2) / STEP), round((start + longest) / STEP)
            window = _smoothed(probability[first:last])
            cut = (first + int(np.argmin(window))) * STEP
            result.append((start, cut))
            start = cut
        result.append((start, end))
    return result


def _smoothed(values: Probabilities) -> Probabilities:
    """Mean over five windows (160 ms): a cut wants a short pause, not one quiet frame."""
    kernel = np.ones(5, np.float32) / 5
    return np.convolve(np.pad(values, 2, mode="edge"), kernel, mode="valid").astype(np.float32)


def pack(spans: Sequence[Span], *, longest: float, keep_gap: float) -> list[Chunk]:
    """Speech into chunks of at most ``longest`` seconds, cut at silences.

    Silences up to ``keep_gap`` seconds are kept (they tell sentences apart), of longer ones that much.
    """
    chunks: list[list[Span]] = []
    length = 0.0
    for start, end in spans:
        gap = start - chunks[-1][-1][1] if chunks else 0.0
        kept = min(gap, keep_gap)
        if not chunks or length + kept + end - start > longest:
            chunks.append([(start, end)])
            length = end - start
            continue
        if gap <= keep_gap:
            chunks[-1][-1] = (chunks[-1][-1][0], end)
        else:
            chunks[-1][-1] = (chunks[-1][-1][0], chunks[-1][-1][1] + kept / 2)
            chunks[-1].append((start - kept / 2, end))
        length += kept + end - start
    return [Chunk(index, tuple(pieces)) for index, pieces in enumerate(chunks)]
