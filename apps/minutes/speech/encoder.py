"""Voices as vectors: the GE2E speaker encoder (Wan et al. 2018, doi:10.1109/ICASSP.2018.8462665) in NumPy.

A window of 1.6 s becomes 160 frames of 40 mel energies, runs through three LSTM layers and ends as a unit vector of 256
numbers. Vectors of the same voice lie close together (cosine). Weights: Resemblyzer's, converted at set-up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from apps.minutes.speech.decode import RATE, Samples

Vectors = npt.NDArray[np.float32]

FRAMES: Final = 160  # of 10 ms: one window
WINDOW_SECONDS: Final = FRAMES / 100
_HOP, _FFT, _MELS, _HIDDEN, _LAYERS = 160, 400, 40, 256, 3
_BATCH = 128
_LOUDNESS_DB = -30.0  # quieter windows are raised to this level, as in the encoder's training


def _mel_hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    step = np.log(6.4) / 27.0
    hertz: npt.NDArray[np.float64] = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    return hertz


def _filters() -> Vectors:
    """Triangular mel filters of equal area, (40, 201)."""
    top = 15 + np.log(RATE / 2 / 1000) / (np.log(6.4) / 27.0)
    edges = _mel_hertz(np.linspace(0, top, _MELS + 2))
    bins = np.linspace(0, RATE / 2, _FFT // 2 + 1)[None, :]
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
    weights: Vectors = (np.maximum(0, triangles) * 2 / (high - low)).astype(np.float32)
    return weights


def level(window: Samples) -> Samples:
    """Raise a quiet window to the loudness of the training data; loud ones stay."""
    rms = float(np.sqrt(np.mean(np.square(window, dtype=np.float64)))) if len(window) else 0.0
    if rms <= 0:
        return window
    gain = 10 ** ((_LOUDNESS_DB - 20 * np.log10(rms)) / 20)
    return window if gain <= 1 else (window * np.float32(gain)).astype(np.float32)


class Encoder:
    """The network. ``embed`` is pure; one instance may be shared by threads."""

    def __init__(self, weights: Path) -> None:
        with np.load(weights) as arrays:
            self._lstm = [_layer(arrays, layer) for layer in range(_LAYERS)]
            self._linear = (arrays["linear.weight"].astype(np.float32), arrays["linear.bias"].astype(np.float32))
        self._filters = _filters()
        self._window = np.hanning(_FFT + 1)[:-1].astype(np.float32)

    def embed(self, windows: Sequence[Samples]) -> Vectors:
        """Unit vectors (n, 256) of n windows; shorter ones are filled up by repeating, longer ones cut at 1.6 s."""
        if not windows:
            return np.zeros((0, _HIDDEN), np.float32)
        parts = [self._forward(self._mels(windows[i : i + _BATCH])) for i in range(0, len(windows), _BATCH)]
        return np.concatenate(parts)

    def _mels(self, windows: Sequence[Samples]) -> Vectors:
        """Mel energies (n, 160, 40)."""
        length = FRAMES * _HOP
        audio = np.stack([np.resize(level(w), length) for w in windows])
        padded = np.pad(audio, ((0, 0), (_FFT // 2, _FFT // 2)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT, axis=1)[:, ::_HOP][:, :FRAMES]
        power = np.abs(np.fft.rfft(frames * self._window, axis=2)) ** 2
        mels: Vectors = (power.astype(np.float32) @ self._filters.T).astype(np.float32)
        return mels

    def _forward(self, mels: Vectors) -> Vectors:
        sequence = mels.transpose(1, 0, 2)  # time first
        for layer in self._lstm:
            sequence = _lstm(sequence, *layer)
        weight, bias = self._linear
        raw = np.maximum(0, sequence[-1] @ weight.T + bias)
        unit: Vectors = raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-9)
        return unit


def _layer(arrays: Mapping[str, Vectors], layer: int) -> tuple[Vectors, Vectors, Vectors]:
    """Weights of one layer: from the input, from its own past, and both biases as one."""
    weight_in, weight_hidden = arrays[f"lstm.weight_ih_l{layer}"], arrays[f"lstm.weight_hh_l{layer}"]
    return weight_in, weight_hidden, arrays[f"lstm.bias_ih_l{layer}"] + arrays[f"lstm.bias_hh_l{layer}"]


def _lstm(sequence: Vectors, weight_in: Vectors, weight_hidden: Vectors, bias: Vectors) -> Vectors:
    """One LSTM layer over (time, n, features); gates in PyTorch's order: input, forget, cell, output."""
    steps, count, _ = sequence.shape
    driven = sequence @ weight_in.T + bias
    hidden = np.zeros((count, _HIDDEN), np.float32)
    cell = np.zeros_like(hidden)
    out = np.empty((steps, count, _HIDDEN), np.float32)
    recurrent = np.ascontiguousarray(weight_hidden.T)
    for step in range(steps):
        gates = driven[step] + hidden @ recurrent
        opened, forget, output = (_sigmoid(gates[:, k : k + _HIDDEN]) for k in (0, _HIDDEN, 3 * _HIDDEN))
        cell = forget * cell + opened * np.tanh(gates[:, 2 * _HIDDEN : 3 * _HIDDEN])
        hidden = output * np.tanh(cell)
        out[step] = hidden
    return out


def _sigmoid(x: Vectors) -> Vectors:
    value: Vectors = 0.5 * (np.tanh(0.5 * x) + 1)
    return value
