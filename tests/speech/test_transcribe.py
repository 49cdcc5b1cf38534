"""Real Whisper on real (synthetic) recordings: right words, right speakers, right times; resume, refuse, survive."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from apps.minutes.export_srt import to_srt
from apps.minutes.model import Transcript
from apps.minutes.speech.transcribe import transcribe
from kakehashi.errors import BadInput, Cancelled
from kakehashi.paths import home
from kakehashi.settings import Settings, load
from serving import models

AUDIO = Path(__file__).parent.parent / "data" / "audio"
SHORT = AUDIO / "short_ja.ogg"
REFERENCE = json.loads((AUDIO / "short_ja.reference.json").read_text())
pytestmark = pytest.mark.speech


@pytest.fixture(scope="module")
def settings() -> Settings:
    models.path("whisper-base")
    models.path("speaker")
    return load()


def run(audio: Path, work: Path, settings: Settings, **options: object) -> Transcript:
    return transcribe(audio, work=work, settings=settings, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def transcript(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transcript]:
    people, terms = REFERENCE["participants"], REFERENCE.get("glossary", [])
    work = tmp_path_factory.mktemp("work")
    yield run(SHORT, work, settings, participants=people, glossary=terms, language="ja")


def letters(text: str) -> str:
    return re.sub(r"[\s、。？！,.?!「」]", "", text)


def error_rate(reference: str, found: str) -> float:
    """Character error rate: edit distance over the reference's length."""
    row = list(range(len(found) + 1))
    for i, a in enumerate(reference, 1):
        previous, row = row, [i]
        for j, b in enumerate(found, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a != b)))
    return row[-1] / len(reference)


def test_the_words_are_mostly_right(transcript: Transcript) -> None:
    said = letters("".join(s["text"] for s in REFERENCE["segments"]))
    assert error_rate(said, letters("".join(s.text for s in transcript.segments))) < 0.3


def test_the_speakers_are_told_apart(transcript: Transcript) -> None:
    speaking = {(s["start"] + s["end"]) / 2: s["speaker"] for s in REFERENCE["segments"]}
    found: dict[str, set[str]] = {}
    for time_, name in speaking.items():
        for segment in transcript.segments:
            if segment.start <= time_ < segment.end:
                found.setdefault(name, set()).add(segment.speaker)
    assert len(found) == len({s["speaker"] for s in REFERENCE["segments"]})
    assert all(len(labels) == 1 for labels in found.values())
    assert len(set.union(*found.values())) == len(found)


def test_times_lie_inside_the_recording_and_never_go_back(transcript: Transcript) -> None:
    starts = [s.start for s in transcript.segments]
    assert starts == sorted(starts) and transcript.segments[-1].end <= transcript.meta["audio"]["duration"] + 0.1
    assert abs(starts[0] - REFERENCE["segments"][0]["start"]) < 0.7, "evidence must play the right place"


def test_subtitles_can_be_made_of_it(transcript: Transcript) -> None:
    assert to_srt(transcript).count(" --> ") == len(transcript.segments)


def test_a_second_run_hears_nothing_again(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(SHORT, tmp_path, settings, language="ja", speaker_count=1)
    monkeypatch.setattr("apps.minutes.speech.recognise.Recogniser.hear", None)
    again = run(SHORT, tmp_path, settings, language="ja", speaker_count=1)
    assert again.segments == first.segments


def test_a_killed_process_goes_on_where_it_was(settings: Settings, tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    command = ["ffmpeg", "-v", "error", "-stream_loop", "7", "-i", str(SHORT), "-ar", "16000", "-ac", "1", str(long)]
    subprocess.run(command, check=True)
    script = (
        "import sys; from pathlib import Path; from kakehashi.settings import load\n"
        "from apps.minutes.speech.transcribe import transcribe\n"
        "transcribe(Path(sys.argv[1]), work=Path(sys.argv[2]), settings=load(), language='ja', speaker_count=1)"
    )
    work = tmp_path / "work"
    child = subprocess.Popen([sys.executable, "-c", script, str(long), str(work)])
    until = time.monotonic() + 120
    while not list(work.glob("asr-*/*.json")) and time.monotonic() < until:
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = {p.name: p.stat().st_mtime_ns for p in work.glob("asr-*/0*.json")}
    assert done
    found = run(long, work, settings, language="ja", speaker_count=1)
    assert {p.name: p.stat().st_mtime_ns for p in work.glob("asr-*/0*.json") if p.name in done} == done
    assert found.segments[-1].end > found.meta["audio"]["duration"] - 10, "the whole length is covered"


def test_cancelling_keeps_what_is_done(settings: Settings, tmp_path: Path) -> None:
    def stop(stage: str, fraction: float, *, eta_s: float | None = None, detail: str = "") -> None:
        if stage == "speech":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run(SHORT, tmp_path, settings, language="ja", progress=stop)
    assert (tmp_path / "probe.json").exists() and list(tmp_path.glob("vad-*.npy"))


def sound(path: Path, samples: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def test_bad_recordings_are_refused_with_a_reason(settings: Settings, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    cases = {
        "audio_missing": tmp_path / "nothing.wav",
        "audio_empty": tmp_path / "empty.wav",
        "audio_wrong_type": tmp_path / "program.wav",
        "audio_corrupt": tmp_path / "broken.ogg",
        "audio_silent": sound(tmp_path / "silent.wav", np.zeros(16_000 * 5)),
    }
    cases["audio_empty"].touch()
    shutil.copy(sys.executable, cases["audio_wrong_type"])
    cases["audio_corrupt"].write_bytes(SHORT.read_bytes()[:200] + random.bytes(2000))
    for code, path in cases.items():
        with pytest.raises(BadInput) as caught:
            run(path, tmp_path / code, settings)
        assert caught.value.code == code
        assert path.name in str(caught.value)


def test_noise_and_music_are_no_speech(settings: Settings, tmp_path: Path) -> None:
    time_ = np.arange(16_000 * 6) / 16_000
    noise = sound(tmp_path / "noise.wav", np.random.default_rng(2).normal(0, 0.05, time_.size))
    music = sound(tmp_path / "music.wav", 0.2 * (np.sin(880 * np.pi * time_) + np.sin(1320 * np.pi * time_)) / 2)
    for path in (noise, music):
        with pytest.raises(BadInput) as caught:
            run(path, tmp_path / path.stem, settings, language="ja")
        assert caught.value.code == "audio_silent"


def test_the_home_is_the_one_of_the_settings(settings: Settings) -> None:
    assert settings.home == home()
