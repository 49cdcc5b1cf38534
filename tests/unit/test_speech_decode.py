"""Every kind of recording becomes 16 kHz mono; whatever is no recording is refused with its reason."""

from __future__ import annotations

import errno
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.minutes.messages import MESSAGES, localise, problem
from apps.minutes.speech.decode import RATE, PcmFile, check, decode, full_disk_is_told, loudness
from kakehashi import sniff
from kakehashi.errors import BadInput, KakehashiError


def tone(seconds: float, rate: int = 24_000, channels: int = 1, silent: int | None = None) -> np.ndarray:
    """A 440 Hz tone, (channels, samples); one channel may be silent."""
    wave_ = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    sound = np.tile(wave_, (channels, 1)).astype(np.float32)
    if silent is not None:
        sound[silent] = 0
    return sound


def write(path: Path, codec: str, sound: np.ndarray, rate: int = 24_000, video: bool = False) -> Path:
    layout = "stereo" if sound.shape[0] == 2 else "mono"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        if video:
            picture = container.add_stream("mpeg4", rate=5)
            picture.width = picture.height = 64
            for _ in range(5):
                container.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
            container.mux(picture.encode(None))
        fifo = av.AudioFifo()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout=layout)
        frame.sample_rate = rate
        fifo.write(frame)
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate)
        size = stream.codec_context.frame_size or 1024
        while part := fifo.read(size, partial=True):
            part.pts = None
            for piece in resampler.resample(part):
                container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def wav(path: Path, sound: np.ndarray, rate: int = 24_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(sound.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((sound.T * 32767).astype("<i2").tobytes())
    return path


def decoded(path: Path, max_hours: float = 1.0) -> PcmFile:
    target = path.with_suffix(".pcm")
    decode(path, target, max_hours=max_hours, tick=lambda seconds: None)
    return PcmFile(target)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "video"),
    [
        ("a.wav", "pcm_s16le", 24_000, False),
        ("a.flac", "flac", 44_100, False),
        ("a.mp3", "libmp3lame", 44_100, False),
        ("a.m4a", "aac", 48_000, False),
        ("a.ogg", "libopus", 48_000, False),
        ("a.webm", "libopus", 48_000, False),
        ("a.mp4", "aac", 48_000, True),
        ("a.mkv", "pcm_s16le", 16_000, True),
        ("a.ts", "aac", 48_000, False),
    ],
)
def test_each_format_gives_the_same_tone(tmp_path: Path, name: str, codec: str, rate: int, video: bool) -> None:
    pcm = decoded(write(tmp_path / name, codec, tone(2.0, rate), rate, video))
    assert pcm.duration == pytest.approx(2.0, abs=0.12)
    middle = pcm.read(0.5, 1.5)
    spectrum = np.abs(np.fft.rfft(middle))
    assert int(spectrum.argmax()) == pytest.approx(440, abs=3)
    assert 0.1 < np.abs(middle).max() < 0.45


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", "libmp3lame", tone(1.0, 44_100), 44_100)
    assert decoded(path.rename(tmp_path / "recording.wav")).duration == pytest.approx(1.0, abs=0.1)


def test_channels_are_mixed_and_their_loudness_is_kept(tmp_path: Path) -> None:
    pcm = decoded(wav(tmp_path / "a.wav", tone(1.0, channels=2, silent=1)))
    levels = loudness(pcm.path, 2)
    assert levels.shape == (10, 2)
    assert levels[5, 0] == pytest.approx(0.3 / np.sqrt(2), abs=0.01) and levels[5, 1] < 1e-3
    assert np.abs(pcm.read(0.2, 0.8)).max() == pytest.approx(0.15, abs=0.01)


def test_joined_files_of_different_rates_decode_to_their_end(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{rate}.mp3", "libmp3lame", tone(1.0, rate), rate) for rate in (44_100, 24_000)]
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert decoded(joined).duration > 1.8


def test_a_track_that_starts_late_keeps_its_place(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=5)
        picture.width = picture.height = 64
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for _ in range(15):
            container.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(picture.encode(None))
        frame = av.AudioFrame.from_ndarray(np.full((1, RATE), 8000, np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 2 * RATE
        container.mux(stream.encode(frame))
    pcm = decoded(path)
    assert pcm.duration == pytest.approx(3.0, abs=0.1)
    assert np.abs(pcm.read(0.0, 1.9)).max() == 0 and pcm.read(2.2, 2.8).min() > 0.2


def refused(path: Path, max_hours: float = 1.0) -> BadInput:
    with pytest.raises(BadInput) as caught:
        decoded(path, max_hours)
    assert path.name in caught.value.message
    return caught.value


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("これはテキストです。\n" * 30)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\nfile:///etc/passwd\n")
    (tmp_path / "program.wav").write_bytes(Path(sys.executable).resolve().read_bytes()[:5000])
    (tmp_path / "zip.mp3").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "random.mp3").write_bytes(b"\x01\x02" + np.random.default_rng(1).bytes(5000))
    wav(tmp_path / "zero.wav", np.zeros((1, 0), np.float32))
    codes = {path.name: refused(path).code for path in sorted(tmp_path.iterdir())}
    assert codes == {
        "empty.wav": "audio_empty",
        "list.m3u8": "audio_wrong_type",
        "program.wav": "audio_wrong_type",
        "random.mp3": "audio_corrupt",
        "text.wav": "audio_wrong_type",
        "zero.wav": "audio_zero_length",
        "zip.mp3": "audio_wrong_type",
    }
    assert refused(tmp_path / "nothing.wav").code == "audio_missing"


def test_a_video_without_sound_and_a_cut_m4a_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=5)
        picture.width = picture.height = 64
        container.mux(picture.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(picture.encode(None))
    assert refused(path).code == "audio_no_track"
    whole = write(tmp_path / "a.m4a", "aac", tone(3.0, 48_000), 48_000).read_bytes()
    (tmp_path / "cut.m4a").write_bytes(whole[: len(whole) // 2])
    assert refused(tmp_path / "cut.m4a").code == "audio_corrupt"


def test_a_recording_with_damaged_parts_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mp3", "libmp3lame", tone(6.0, 44_100), 44_100).read_bytes()
    third = len(whole) // 3
    damaged = tmp_path / "damaged.mp3"
    damaged.write_bytes(whole[:third] + np.random.default_rng(2).bytes(2000) + whole[third + 2000 :])
    assert decoded(damaged).duration > 4.0


def test_too_long_is_told_before_and_while_decoding(tmp_path: Path) -> None:
    path = wav(tmp_path / "long.wav", tone(8.0))
    assert refused(path, max_hours=0.001).code == "audio_too_long"
    with pytest.raises(BadInput):
        check(path, 0.001)
    assert check(path, 1.0).duration == pytest.approx(8.0)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    for attempt in (0.0, 1e15):
        with pytest.raises(KakehashiError) as caught, full_disk_is_told(tmp_path, attempt):
            raise OSError(errno.ENOSPC, "No space left on device")
        assert caught.value.code == "disk_full" and "MB" in localise(caught.value, "ja")[0]
    with pytest.raises(PermissionError), full_disk_is_told(tmp_path):
        raise PermissionError(errno.EACCES, "no")


@given(st.binary(max_size=600))
def test_sniffing_never_fails(head: bytes) -> None:
    assert sniff.demuxer(head) is None or sniff.demuxer(head) in av.formats_available
    assert sniff.kind(head) in {
        "program",
        "pdf",
        "zip",
        "office",
        "image",
        "playlist",
        "text",
        "archive",
        "midi",
        "unknown",
    }


@pytest.mark.parametrize("code", sorted(MESSAGES))
def test_each_message_is_there_in_both_languages_with_the_same_slots(code: str) -> None:
    values = {"file": "会議.wav", "found": "pdf", "detail": "x", "minutes": "1", "hours": "7", "limit": "6"}
    values |= {"needed": "10", "free": "1", "model": "m", "language": "xx"}
    error = problem(BadInput, code, **values)
    ja, en = localise(error, "ja"), localise(error, "en")
    assert ja != en and all((*ja, *en)) and not any("{" in text for text in (*ja, *en))
    assert en == (error.message, error.hint)
    slots = [{name for name in values if f"{{{name}}}" in MESSAGES[code][lang][0]} for lang in ("ja", "en")]
    assert slots[0] == slots[1]


def test_errors_of_other_parts_are_shown_as_they_are() -> None:
    assert localise(KakehashiError("x", hint="y", code="no_key"), "ja") == ("x", "y")
