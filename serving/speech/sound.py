"""Any recording as 16 kHz mono samples, decoded as a stream under a limit of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from kakehashi import sniff
from kakehashi.errors import BadInput

RATE: Final = 16_000
Samples = npt.NDArray[np.float32]


def decode(file: IO[bytes], max_minutes: float, stopped: Callable[[], bool]) -> Samples:
    """The samples of an open file, between -1 and 1; fewer when ``stopped``.

    Raises BadInput for what is no recording, is damaged, or is longer than ``max_minutes``.
    """
    import av  # with FFmpeg's libraries 50 MB: not before the first recording

    file.seek(0)
    demuxer = sniff.demuxer(head := file.read(sniff.HEAD_BYTES))
    if demuxer is None:
        raise BadInput(f"The file is no recording (it looks like: {sniff.kind(head)}).", code="invalid_file_format")
    file.seek(0)
    pieces, length = [], 0
    try:
        with av.open(file, mode="r", format=demuxer, metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise BadInput("The file has no sound track.", code="invalid_file_format")
            _refuse_too_long((container.duration or 0) / av.time_base, max_minutes)
            for piece in _resampled(container, av):
                pieces.append(piece)
                length += piece.size
                _refuse_too_long(length / RATE, max_minutes)
                if stopped():
                    break
    except (av.FFmpegError, ValueError) as error:
        raise BadInput(f"The recording cannot be decoded: {_reason(error)}.", code="invalid_file_format") from error
    if not length:
        raise BadInput("The recording is empty.", code="invalid_file_format")
    return np.concatenate(pieces).astype(np.float32) / np.float32(32768)


def _resampled(container: Any, av: Any) -> Iterator[npt.NDArray[np.int16]]:
    """Packets that cannot be decoded are skipped, as players do."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    for packet in container.demux(container.streams.audio[0]):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in frames:
            frame.pts = None  # joined files begin their clocks anew
            for piece in resampler.resample(frame):
                yield piece.to_ndarray().reshape(-1)
    for piece in resampler.resample(None):
        yield piece.to_ndarray().reshape(-1)


def _refuse_too_long(seconds: float, max_minutes: float) -> None:
    if seconds > max_minutes * 60:
        raise BadInput(
            f"The recording is longer than {max_minutes:g} minutes, the limit of this service.",
            hint="Cut it, or give it to the minutes app.",
            code="audio_too_long",
        )


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error).splitlines()[0][:120]
