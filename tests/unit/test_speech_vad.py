"""Speech is found, cut only in pauses, packed within the limit, and times lead back to the recording."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from faster_whisper.vad import get_vad_model
from hypothesis import given
from hypothesis import strategies as st

from apps.minutes.speech.decode import RATE, Samples
from apps.minutes.speech.vad import (
    STEP,
    Chunk,
    Probabilities,
    Span,
    VadOptions,
    pack,
    probabilities,
    speech_spans,
    split_long,
)


def judged(*parts: tuple[float, float]) -> Probabilities:
    """Probabilities of speech: (value, seconds) after each other."""
    return np.concatenate([np.full(round(seconds / STEP), value, np.float32) for value, seconds in parts])


def test_blocks_of_any_size_are_judged_like_the_whole() -> None:
    samples: Samples = np.random.default_rng(1).normal(0, 0.1, RATE * 5 + 321).astype(np.float32)
    padded = np.pad(samples, (0, 512 - samples.size % 512))
    whole = get_vad_model()(padded).reshape(-1)
    for size in (700, 16_000, samples.size):
        blocks = [samples[start : start + size] for start in range(0, samples.size, size)]
        found = probabilities(blocks, lambda seconds: None)
        assert found.shape == whole.shape
        assert np.allclose(found[:-1], whole[:-1], atol=1e-5)  # the original blanks the end of the last window


def test_nothing_is_no_speech() -> None:
    assert speech_spans(probabilities([], lambda seconds: None)) == []
    assert speech_spans(judged((0.0, 3.0))) == []


def test_a_short_pause_does_not_end_speech_and_a_long_one_does() -> None:
    spans = speech_spans(judged((0, 1), (0.9, 1), (0, 0.2), (0.9, 1), (0, 1), (0.9, 1), (0, 1)))
    assert [tuple(round(t, 1) for t in span) for span in spans] == [(0.8, 3.4), (4.0, 5.4)]


def test_a_click_is_no_speech() -> None:
    assert speech_spans(judged((0, 1), (0.9, 0.06), (0, 1)), VadOptions(min_speech=0.1)) == []


def test_long_speech_is_cut_at_its_quietest_moment() -> None:
    probability = judged((0.9, 20), (0.55, 0.3), (0.9, 20))
    [first, second] = split_long([(0.0, 40.3)], probability, 28.0)
    assert first[1] == second[0] == pytest.approx(20.15, abs=0.2)


spoken = st.lists(st.tuples(st.floats(0.0, 4.0), st.floats(0.1, 70.0)), max_size=25)


def spans_of(raw: list[tuple[float, float]]) -> list[Span]:
    spans, time = [], 0.0
    for gap, length in raw:
        spans.append((time + gap, time + gap + length))
        time += gap + length
    return spans


@given(spoken, st.integers(0, 5))
def test_chunks_hold_all_speech_in_order_within_the_limit(raw: list[tuple[float, float]], seed: int) -> None:
    spans = spans_of(raw)
    end = spans[-1][1] if spans else 1.0
    probability = np.random.default_rng(seed).random(int(end / STEP) + 2).astype(np.float32)
    cut = split_long(spans, probability, 28.0)
    assert sum(b - a for a, b in cut) == pytest.approx(sum(b - a for a, b in spans))
    chunks = pack(cut, longest=28.0, keep_gap=0.6)
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert all(chunk.duration <= 28.0 + 1e-6 for chunk in chunks)
    pieces = [piece for chunk in chunks for piece in chunk.pieces]
    assert all(a[1] <= b[0] + 1e-6 for a, b in pairwise(pieces))
    for start, stop in cut:
        assert any(a <= start + 1e-6 and stop <= b + 1e-6 for a, b in pieces), "no speech is left out"


@given(spoken.filter(bool), st.floats(0, 30), st.floats(0, 30))
def test_times_lead_back_in_order_and_into_a_piece(raw: list[tuple[float, float]], one: float, two: float) -> None:
    chunk = Chunk(0, tuple(spans_of(raw)[:4]))
    first, second = (chunk.original_time(time) for time in sorted((one, two)))
    assert first <= second
    assert all(any(a - 1e-6 <= t <= b + 1e-6 for a, b in chunk.pieces) for t in (first, second))


@given(st.lists(st.floats(0, 1), max_size=400))
def test_spans_are_ordered_apart_and_inside(values: list[float]) -> None:
    spans = speech_spans(np.array(values, np.float32))
    assert all(0 <= a < b <= len(values) * STEP + 1e-6 for a, b in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
