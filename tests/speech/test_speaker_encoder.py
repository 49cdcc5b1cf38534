"""The speaker encoder with its real weights on real (synthetic) voices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.audio import decode_audio

from apps.minutes.speech.decode import RATE
from apps.minutes.speech.encoder import FRAMES, WINDOW_SECONDS, Encoder, level
from serving import models

AUDIO = Path(__file__).parent.parent / "data" / "audio"
pytestmark = pytest.mark.speech


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(models.path("speaker") / "ge2e.npz")


def test_lines_of_one_voice_are_nearer_than_lines_of_two(encoder: Encoder) -> None:
    recording = AUDIO / "dev" / "branch_it_ja.ogg"
    reference = json.loads(recording.with_suffix(".reference.json").read_text())
    wave = decode_audio(str(recording), sampling_rate=RATE)
    lines = [s for s in reference["segments"] if s["end"] - s["start"] > 3][:12]
    size = int(WINDOW_SECONDS * RATE)
    vectors = []
    for line in lines:
        start, end = int(line["start"] * RATE), int(line["end"] * RATE)
        mean = encoder.embed([wave[i : i + size] for i in range(start, end - size, size)]).mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    pairs = [
        (float(a @ b), one["speaker"] == two["speaker"])
        for a, one in zip(vectors, lines, strict=True)
        for b, two in zip(vectors, lines, strict=True)
    ]
    same, other = ([v for v, s in pairs if s is kind] for kind in (True, False))
    assert np.mean(same) > np.mean(other) + 0.15


def test_vectors_are_of_unit_length_and_do_not_depend_on_the_batch_or_loudness(encoder: Encoder) -> None:
    random = np.random.default_rng(3)
    windows = [random.normal(0, 0.1, FRAMES * 160).astype(np.float32) for _ in range(3)]
    together = encoder.embed(windows)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together[1], encoder.embed([windows[1]])[0], atol=1e-5)
    quiet = [windows[0] * np.float32(0.001), windows[0] * np.float32(0.01)]
    assert np.allclose(*encoder.embed(quiet), atol=1e-4)


def test_nothing_and_silence_are_no_errors(encoder: Encoder) -> None:
    assert encoder.embed([]).shape == (0, 256)
    assert np.isfinite(encoder.embed([np.zeros(1000, np.float32)])).all()
    assert level(np.zeros(0, np.float32)).size == 0
