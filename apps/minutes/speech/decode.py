"""Any recording as 16 kHz mono samples, decoded as a stream into one PCM file that later stages read in pieces.

Memory does not grow with length. Where the channels of a recording differ, their loudness is kept too, so that one
channel per speaker can be recognised as such.
"""

from __future__ import annotations

import errno
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import av
import numpy as np
import numpy.typing as npt

from apps.minutes.messages import problem
from kakehashi import sniff
from kakehashi.errors import BadInput, KakehashiError

RATE: Final = 16_000
FRAME: Final = 1_600  # samples per loudness value: 100 ms
BYTES_PER_SECOND: Final = 2 * RATE
SUFFIXES: Final = frozenset(
    {".wav", ".mp3", ".m4a", ".mp4", ".webm", ".ogg", ".oga", ".opus", ".flac", ".aac", ".mov", ".mkv", ".avi", ".wma"}
)
MIN_SECONDS: Final = 0.1  # shorter is no recording
GAP_SECONDS: Final = (0.1, 600.0)  # time stamps jumping ahead by this much are filled with silence

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Probe:
    """What the container says of itself. ``duration`` in seconds, None when it does not tell (browser recordings)."""

    container: str
    codec: str
    channels: int
    duration: float | None


@dataclass(frozen=True)
class Decoded:
    """What decoding gave: seconds of sound, packets that could not be decoded, channels kept apart."""

    duration: float
    damaged_packets: int
    channels: int


class PcmFile:
    """Random access to decoded samples. Reads pieces with seek, never the whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def duration(self) -> float:
        return self.path.stat().st_size / BYTES_PER_SECOND

    def read(self, start: float, end: float) -> Samples:
        """Samples from ``start`` to ``end`` seconds, between -1 and 1; shorter at the end of the file."""
        first = max(0, round(start * RATE))
        with self.path.open("rb") as file:
            file.seek(2 * first)
            raw = file.read(2 * max(0, round(end * RATE) - first))
        return np.frombuffer(raw, dtype="<i2").astype(np.float32) / np.float32(32768)

    def blocks(self, seconds: float = 60.0) -> Iterator[Samples]:
        """All samples in order, a block at a time."""
        start = 0.0
        while (block := self.read(start, start + seconds)).size:
            yield block
            start += seconds


def check(path: Path, max_hours: float) -> Probe:
    """Look at a recording without decoding it. Raises BadInput saying what is wrong with it."""
    with _opened(path) as (container, stream):
        duration = container.duration / av.time_base if container.duration else None
        probe = Probe(container.format.name, stream.codec_context.name, stream.channels, duration)
    _refuse_too_long(path, probe.duration or 0.0, max_hours)
    return probe


def decode(path: Path, target: Path, *, max_hours: float, tick: Callable[[float], None]) -> Decoded:
    """Decode a recording into 16-bit mono PCM at ``target`` and ``target.with_suffix(".loudness")``.

    ``tick`` is called with the seconds decoded so far. Packets that cannot be decoded are skipped and counted.
    Raises BadInput; KakehashiError ``disk_full``.
    """
    probe = check(path, max_hours)
    good = damaged = 0
    with full_disk_is_told(target.parent, probe.duration or 0.0), _opened(path) as (container, stream):
        origin = (container.start_time or 0) / av.time_base
        with _Writer(target, probe.channels) as writer:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except (av.FFmpegError, ValueError):
                    damaged += 1
                    continue
                for frame in frames:
                    good += 1
                    writer.add(frame, None if frame.time is None else frame.time - origin)
                _refuse_too_long(path, writer.seconds, max_hours)
                tick(writer.seconds)
            writer.flush()
    _refuse_nothing(path, writer.seconds, good, damaged)
    return Decoded(writer.seconds, damaged, writer.channels)


@contextmanager
def full_disk_is_told(folder: Path, seconds: float = 0.0) -> Iterator[None]:
    """Turn "no space left" into a message one can act on; look ahead when the length is known."""
    needed = seconds * BYTES_PER_SECOND
    try:
        if needed > shutil.disk_usage(folder).free:
            raise OSError(errno.ENOSPC, "too little space for the decoded sound")
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(folder).free
        values = {"needed": f"{math.ceil(needed / 1e6) or 1}", "free": f"{free / 1e6:.0f}"}
        raise problem(KakehashiError, "disk_full", **values) from error


class _Writer:
    """Resamples, mixes channels down, writes 16-bit samples, and keeps the loudness of each channel per 100 ms."""

    def __init__(self, target: Path, channels: int) -> None:
        self.channels = channels
        self._target = target
        self._samples = 0
        self._rest = np.zeros((channels, 0), np.float32)
        self._resampler = av.AudioResampler(format="fltp", rate=RATE)
        self._form: tuple[str, str, int] | None = None

    @property
    def seconds(self) -> float:
        return self._samples / RATE

    def __enter__(self) -> _Writer:
        self._pcm: BinaryIO = self._target.open("wb")
        self._loudness: BinaryIO = self._target.with_suffix(".loudness").open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._pcm.close()
        self._loudness.close()

    def add(self, frame: av.AudioFrame, time: float | None) -> None:
        """One decoded frame. A stream may change its format in the middle (joined files)."""
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form:
            if self._form:
                self._drain()
            self._form, self._resampler = form, av.AudioResampler(format="fltp", rate=RATE)
        low, high = GAP_SECONDS
        if time is not None and low < time - self.seconds < high:
            self._write(np.zeros((self.channels, round((time - self.seconds) * RATE)), np.float32))
        for piece in self._resampler.resample(frame):
            self._write(piece.to_ndarray())

    def flush(self) -> None:
        """The samples still inside the resampler and the last, incomplete loudness frame."""
        if self._form:
            self._drain()
        if self._rest.size:
            self._measure(np.zeros((self.channels, FRAME - self._rest.shape[1]), np.float32))

    def _drain(self) -> None:
        for piece in self._resampler.resample(None):
            self._write(piece.to_ndarray())

    def _write(self, planes: Any) -> None:
        self._pcm.write((np.clip(planes.mean(axis=0), -1, 1) * 32767).astype("<i2").tobytes())
        self._samples += planes.shape[1]
        same = planes.shape[0] == self.channels
        self._measure(planes if same else np.repeat(planes[:1], self.channels, axis=0))

    def _measure(self, planes: Any) -> None:
        planes = np.concatenate([self._rest, planes], axis=1)
        whole = planes.shape[1] // FRAME * FRAME
        frames = planes[:, :whole].reshape(self.channels, -1, FRAME)
        self._loudness.write(np.sqrt((frames**2).mean(axis=2)).T.astype("<f4").tobytes())
        self._rest = planes[:, whole:]


def loudness(pcm: Path, channels: int) -> Samples:
    """Loudness (root mean square) of each channel per 100 ms: an array (frames, channels)."""
    return np.fromfile(pcm.with_suffix(".loudness"), dtype="<f4").reshape(-1, channels)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first audio stream. Raises BadInput with the reason."""
    name = path.name
    if not path.is_file():
        raise problem(BadInput, "audio_missing", file=name)
    with path.open("rb") as file:
        head = file.read(sniff.HEAD_BYTES)
    if not head:
        raise problem(BadInput, "audio_empty", file=name)
    demuxer = sniff.demuxer(head)
    if demuxer is None:
        _refuse_type(path, head)
    try:
        container = av.open(str(path), format=demuxer, metadata_errors="ignore")
    except (av.FFmpegError, ValueError) as error:
        raise problem(BadInput, "audio_corrupt", file=name, detail=_reason(error)) from error
    with container:
        if not container.streams.audio:
            raise problem(BadInput, "audio_no_track", file=name)
        yield container, container.streams.audio[0]


def _refuse_type(path: Path, head: bytes) -> NoReturn:
    found = sniff.kind(head)
    if found == "unknown" and path.suffix.lower() in SUFFIXES:
        raise problem(BadInput, "audio_corrupt", file=path.name, detail="unknown header")
    raise problem(BadInput, "audio_wrong_type", file=path.name, found=found)


def _refuse_too_long(path: Path, seconds: float, max_hours: float) -> None:
    if seconds > max_hours * 3600:
        values = {"hours": f"{seconds / 3600:.1f}", "limit": f"{max_hours:g}"}
        raise problem(BadInput, "audio_too_long", file=path.name, **values)


def _refuse_nothing(path: Path, seconds: float, good: int, damaged: int) -> None:
    if damaged > good:
        detail = f"{damaged} of {good + damaged} packets"
        raise problem(BadInput, "audio_corrupt", file=path.name, detail=detail)
    if seconds < MIN_SECONDS:
        raise problem(BadInput, "audio_zero_length", file=path.name)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error)
