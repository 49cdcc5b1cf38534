"""The speech worker with real Whisper, alone and behind the gateway, asked by the official SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from gateway.guardrails.policy import load_policy
from serving import models, process
from tests.conftest import answers, free_port, link_models
from tests.helpers.fake_upstream import FakeUpstream, running
from tests.helpers.running_gateway import RunningGateway, running_gateway

AUDIO = Path(__file__).parent.parent / "data" / "audio"
SHORT = AUDIO / "short_ja.ogg"
REFERENCE = json.loads((AUDIO / "short_ja.reference.json").read_text())
pytestmark = pytest.mark.speech


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Iterator[str]:
    """Base URL of a worker of its own that takes one waiting recording."""
    models.path("whisper-base")
    home, port = tmp_path_factory.mktemp("speech") / "home", free_port()
    link_models(home, model_path)
    settings = {"KAKEHASHI_HOME": str(home), "KAKEHASHI_SPEECH__PORT": str(port), "KAKEHASHI_SPEECH__WAITING": "1",
                "KAKEHASHI_SPEECH__MAX_MINUTES": "2"}  # fmt: skip
    command = [sys.executable, "-m", "kakehashi", "serve", "speech"]
    with (home / "log").open("wb") as log:
        started = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + 60
    while not answers(f"http://127.0.0.1:{port}/health"):
        assert started.poll() is None and time.monotonic() < deadline, (home / "log").read_text()
        time.sleep(0.1)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.end_group(started.pid, grace_s=10)


@pytest.fixture(scope="module")
def gateway(worker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        running(FakeUpstream()) as engine,
        pytest.MonkeyPatch.context() as patch,
        running_gateway(
            tmp_path_factory.mktemp("home"), patch, engine.url, speech=worker, guardrails=load_policy(None)
        ) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def client(gateway: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0, timeout=300) as sdk:
        yield sdk


def test_starting_loads_no_model(worker: str) -> None:
    assert httpx.get(worker.removesuffix("/v1") + "/health").json() == {"status": "ok", "loaded": False}


def test_a_meeting_with_times_and_hotwords(client: openai.OpenAI, gateway: RunningGateway) -> None:
    terms = "、".join(REFERENCE.get("glossary", []))
    full = client.audio.transcriptions.create(
        model="whisper-1", file=SHORT, language="ja", prompt=terms, response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )  # fmt: skip
    said = "".join(s["text"] for s in REFERENCE["segments"])
    assert set(said) & set(full.text) and abs(len(full.text) - len(said)) < 0.4 * len(said)
    assert full.language == "ja" and full.segments and full.words
    last = REFERENCE["segments"][-1]["end"]
    assert full.duration >= last - 1 and 0 <= full.segments[0].start < full.segments[-1].end <= full.duration + 1
    starts = [word.start for word in full.words]
    assert starts == sorted(starts)
    outcome = gateway.audit.outcomes[-1]
    assert outcome.audio_seconds == pytest.approx(full.duration) and outcome.upstream_model == "whisper-base"


def test_a_stream_and_subtitles_say_the_same(client: openai.OpenAI) -> None:
    events = list(client.audio.transcriptions.create(model="default", file=SHORT, language="ja", stream=True))
    assert events[-1].type == "transcript.text.done" and len(events) > 2
    srt = str(client.audio.transcriptions.create(model="default", file=SHORT, language="ja", response_format="srt"))
    spoken = "".join(line for line in srt.splitlines() if line and "-->" not in line and not line.isdigit())
    assert spoken.replace(" ", "")[:20] == events[-1].text.replace(" ", "")[:20]


def test_a_translation_is_english(client: openai.OpenAI) -> None:
    text = client.audio.translations.create(model="default", file=SHORT).text
    assert text and sum(ord(char) < 128 for char in text) > 0.95 * len(text)


def silence(path: Path, seconds: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\0\0" * 16_000 * seconds)
    return path


def test_silence_has_no_words(client: openai.OpenAI, tmp_path: Path) -> None:
    quiet = silence(tmp_path / "quiet.wav", 5)
    for options in ({"language": "ja"}, {}):
        told: Any = client.audio.transcriptions.create(model="default", file=quiet, **options)  # type: ignore[call-overload]
        assert told.text == "" and told.usage.seconds == 5
    assert [e.type for e in client.audio.transcriptions.create(model="default", file=quiet, stream=True)] == ["transcript.text.done"]  # fmt: skip


def test_what_cannot_be_heard_is_said(client: openai.OpenAI, tmp_path: Path) -> None:
    def code(file: Path, **options: Any) -> str | None:
        with pytest.raises(openai.BadRequestError) as caught:
            client.audio.transcriptions.create(model="default", file=file, **options)
        return caught.value.code

    assert code(silence(tmp_path / "long.wav", 121)) == "audio_too_long"
    broken = tmp_path / "broken.ogg"
    broken.write_bytes(SHORT.read_bytes()[:60] + b"\0" * 5000)
    assert code(broken) == "invalid_file_format"
    assert code(SHORT, language="xx") == "invalid_value"


def test_one_at_a_time_one_waits_and_the_next_is_told_to_come_back(worker: str, gateway: RunningGateway) -> None:
    key, statuses, retry = gateway.key(), [], []

    def ask() -> None:
        headers = {"authorization": f"Bearer {key}"}
        files = {"file": ("a.ogg", SHORT.read_bytes())}
        url = f"{gateway.url}/audio/transcriptions"
        answer = httpx.post(url, data={"model": "default", "language": "ja"}, files=files, headers=headers, timeout=300)
        statuses.append(answer.status_code)
        retry.append(answer.headers.get("retry-after"))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(statuses)) == [200, 503] and statuses.count(200) >= 2
    assert {r for r, s in zip(retry, statuses, strict=True) if s == 503} == {"15"}


def test_who_leaves_makes_room(worker: str) -> None:
    """Both places are taken by clients that leave; a third is heard as soon as the thread notices."""
    for _ in range(2):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{worker}/audio/transcriptions", data={"model": "whisper-base"},
                files={"file": ("a.ogg", SHORT.read_bytes())}, timeout=0.3,
            )  # fmt: skip
    deadline, status = time.monotonic() + 60, 503
    while status == 503 and time.monotonic() < deadline:
        answer = httpx.post(
            f"{worker}/audio/transcriptions", data={"model": "whisper-base", "language": "ja"},
            files={"file": ("a.ogg", SHORT.read_bytes())}, timeout=300,
        )  # fmt: skip
        status = answer.status_code
        time.sleep(0.1)
    assert status == 200 and answer.json()["text"]
