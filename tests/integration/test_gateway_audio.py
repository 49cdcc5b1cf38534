"""Audio surfaces: the whole pipeline around a recording, in every form, with an engine that says what it is told."""

from __future__ import annotations

import hashlib
import io
import time
import wave
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
import sqlalchemy as sa

from gateway.guardrails.policy import load_policy
from gateway.ledger.tables import LEDGER
from tests.helpers.fake_speech import FakeSpeech
from tests.helpers.fake_upstream import FakeUpstream, running
from tests.helpers.fakes import NAME, PLACEHOLDER
from tests.helpers.running_gateway import RunningGateway, running_gateway


def recording(seconds: float = 0.2) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\0\0" * int(16_000 * seconds))
    return held.getvalue()


WAV = recording()


@pytest.fixture(scope="module")
def engine_of_speech() -> Iterator[FakeSpeech]:
    with running(FakeSpeech()) as server:
        assert isinstance(server, FakeSpeech)
        yield server


@pytest.fixture(scope="module")
def server(
    engine: FakeUpstream, engine_of_speech: FakeSpeech, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(
            tmp_path_factory.mktemp("home"), patch, engine.url, speech=engine_of_speech.url,
            speech_models={"whisper-1": "whisper-test"}, max_audio_bytes=200_000,
        ) as gateway,
    ):  # fmt: skip
        yield gateway


@pytest.fixture
def speech(engine_of_speech: FakeSpeech) -> FakeSpeech:
    engine_of_speech.reset()
    return engine_of_speech


@pytest.fixture
def gateway(server: RunningGateway, upstream: FakeUpstream, speech: FakeSpeech) -> RunningGateway:
    server.audit.broken = False
    return server


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0) as sdk:
        yield sdk


def ask(gateway: RunningGateway, surface: str = "transcriptions", key: str = "", **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key or gateway.key()}"}
    files = {"file": more.pop("file", ("田中様との会議.wav", WAV))}
    data = {"model": "default", **more}
    return httpx.post(f"{gateway.url}/audio/{surface}", data=data, files=files, headers=headers, timeout=20)


def test_a_transcript_and_what_is_on_record(client: openai.OpenAI, gateway: RunningGateway, speech: FakeSpeech) -> None:
    answer = client.audio.transcriptions.with_raw_response.create(
        model="whisper-1", file=("田中様との会議.wav", WAV), language="ja", prompt=f"{NAME}、融資", temperature=0.2
    )
    told = answer.parse()
    assert told.text == "おはようございます。担当の山田太郎です。" and told.usage.seconds == 4  # type: ignore[union-attr]
    assert speech.audio == [WAV] and speech.names == ["audio.wav"]  # the client's own name of the file stays here
    assert speech.forms == [
        {"model": ["whisper-test"], "language": ["ja"], "prompt": [f"{PLACEHOLDER}、融資"], "temperature": ["0.2"],
         "response_format": ["json"]}
    ]  # fmt: skip
    [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert (intent.surface, intent.model) == ("transcriptions", "whisper-1")
    assert intent.audio == {"sha256": hashlib.sha256(WAV).hexdigest(), "bytes": len(WAV), "container": "wav"}
    assert (outcome.outcome, outcome.audio_seconds, outcome.upstream) == ("ok", 4.0, "speech")
    assert outcome.completion_tokens > 0 and "おはよう" in outcome.body.decode()
    assert WAV not in intent.body + outcome.body and "田中" not in str(gateway.audit.intents)


def test_each_form(client: openai.OpenAI, gateway: RunningGateway, speech: FakeSpeech) -> None:
    audio = client.audio.transcriptions
    assert audio.create(model="default", file=("a.wav", WAV), response_format="text").strip().endswith("です。")  # type: ignore[union-attr]
    srt = audio.create(model="default", file=("a.wav", WAV), response_format="srt")
    assert srt == "1\n00:00:00,000 --> 00:00:02,000\nおはようございます。\n\n2\n00:00:02,000 --> 00:00:04,000\n担当の山田太郎です。\n"  # type: ignore[comparison-overlap]
    vtt = audio.create(model="default", file=("a.wav", WAV), response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nおはよう")  # type: ignore[union-attr]
    full = audio.create(
        model="default", file=("a.wav", WAV), response_format="verbose_json", timestamp_granularities=["word", "segment"]
    )
    assert (full.duration, full.language, len(full.segments or []), len(full.words or [])) == (4.0, "ja", 2, 10)
    assert full.segments and full.segments[0].tokens == [] and full.segments[1].start == 2.0
    assert speech.forms[-1]["timestamp_granularities[]"] == ["word", "segment"]
    plain = audio.create(model="default", file=("a.wav", WAV), response_format="verbose_json")
    assert plain.segments and plain.words is None
    translated = client.audio.translations.create(model="default", file=("a.wav", WAV), response_format="verbose_json")
    assert translated.text and ask(gateway, "translations", response_format="verbose_json").json()["task"] == "translate"


@pytest.mark.parametrize("mode", ["echo", "chunks"])
def test_a_stream(client: openai.OpenAI, gateway: RunningGateway, speech: FakeSpeech, mode: str) -> None:
    speech.mode = mode
    events = list(client.audio.transcriptions.create(model="default", file=("a.wav", WAV), stream=True))
    assert {event.type for event in events[:-1]} == {"transcript.text.delta"}
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == "".join(speech.heard)  # type: ignore[union-attr]
    assert gateway.audit.outcomes[-1].audio_seconds == 4 and gateway.audit.intents[-1].stream


def test_a_stream_that_breaks_off_raises(client: openai.OpenAI, speech: FakeSpeech) -> None:
    speech.mode = "cut_mid"
    with pytest.raises(openai.APIError, match="broke off"):
        list(client.audio.transcriptions.create(model="default", file=("a.wav", WAV), stream=True))


def test_what_the_policy_blocks_is_not_told(gateway: RunningGateway, speech: FakeSpeech) -> None:
    assert ask(gateway, prompt="攻撃").json()["error"]["code"] == "content_blocked" and speech.requests == []
    speech.heard = ("前置き。", "これは禁句です。")
    answer = ask(gateway)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_blocked") and "禁句" not in answer.text
    [_], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
    assert (outcome.outcome, outcome.audio_seconds) == ("blocked", 4.0) and "禁句" in outcome.body.decode()
    streamed = ask(gateway, stream="true")
    assert streamed.status_code == 200 and "content_blocked" in streamed.text and "禁" not in streamed.text
    assert "transcript.text.done" not in streamed.text and gateway.audit.outcomes[-1].outcome == "blocked"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"MZ\x90\0" + b"\0" * 500, "an executable program"),
        (b"\x7fELF" + b"\0" * 500, "an executable program"),
        (b"%PDF-1.7\n" + b"x" * 500, "a PDF document"),
        (b"#EXTM3U\nhttp://intranet/secret", "a playlist"),
        ("ただのテキスト".encode() * 20, "text"),
        (bytes(range(256)) * 4, "of an unknown type"),
    ],
)
def test_what_is_no_recording_is_refused_whatever_its_name(
    gateway: RunningGateway, speech: FakeSpeech, content: bytes, kind: str
) -> None:
    answer = ask(gateway, file=("会議.wav", content))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_file_format", "file")
    assert kind in error["message"] and speech.requests == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"response_format": "docx"}, "response_format"),
        ({"language": "日本語"}, "language"),
        ({"temperature": "warm"}, "temperature"),
        ({"temperature": "7"}, "temperature"),
        ({"prompt": "あ" * 5000}, "prompt"),
        ({"stream": "perhaps"}, "stream"),
        ({"stream": "true", "response_format": "srt"}, "response_format"),
        ({"timestamp_granularities[]": "syllable", "response_format": "verbose_json"}, "timestamp_granularities"),
        ({"timestamp_granularities[]": "word"}, "response_format"),
        ({"known_speaker_references": "data:audio/wav;base64,AA"}, "known_speaker_references"),
    ],
)
def test_a_wrong_field_is_named(gateway: RunningGateway, speech: FakeSpeech, fields: dict[str, str], param: str) -> None:
    answer = ask(gateway, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param) and speech.requests == []


def test_fields_that_are_not_forwarded_are_named(gateway: RunningGateway, speech: FakeSpeech) -> None:
    answer = ask(gateway, chunking_strategy="auto", vad_filter="false")
    assert answer.headers["x-kakehashi-ignored-params"] == "chunking_strategy,vad_filter"
    assert set(speech.forms[0]) == {"model", "response_format"}


def test_sizes_and_keys_are_looked_at_before_the_recording(gateway: RunningGateway, speech: FakeSpeech) -> None:
    assert ask(gateway, file=("a.wav", WAV + b"\0" * 600_000)).status_code == 413
    assert ask(gateway, file=("a.wav", b"")).json()["error"]["code"] == "empty_file"
    assert ask(gateway, key="kk_wrong").status_code == 401
    assert ask(gateway, key=gateway.key(models=("qwen-test",))).json()["error"]["code"] == "model_not_allowed"
    assert ask(gateway, model="qwen-test").json()["error"]["code"] == "model_not_found"  # no chat model hears anything
    key = gateway.key(surfaces=("chat",))
    assert ask(gateway, key=key).status_code == 403
    limited = gateway.key(rpm=1)
    assert {ask(gateway, key=limited).status_code for _ in range(3)} == {200, 429}
    assert len(speech.requests) in (1, 2)
    assert list(gateway.services.scratch.iterdir()) == []


def test_without_a_record_there_is_no_answer(gateway: RunningGateway, speech: FakeSpeech) -> None:
    gateway.audit.broken = True
    assert ask(gateway).json()["error"]["code"] == "audit_unavailable" and speech.requests == []


def test_the_engines_own_errors_are_told(gateway: RunningGateway, speech: FakeSpeech) -> None:
    speech.mode, speech.status = "error", 503
    speech.error_body, speech.error_headers = b'{"error": {"message": "The queue is full."}}', {"retry-after": "7"}
    answer = ask(gateway)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    speech.status, speech.error_body = 400, b'{"error": {"message": "too long", "code": "audio_too_long"}}'
    assert ask(gateway).json()["error"]["code"] == "audio_too_long"


def test_a_client_that_leaves_cancels_the_recognition(gateway: RunningGateway, speech: FakeSpeech) -> None:
    speech.mode = "stall"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{gateway.url}/audio/transcriptions", data={"model": "default"}, files={"file": ("a.wav", WAV)},
            headers={"authorization": f"Bearer {gateway.key()}"}, timeout=0.5,
        )  # fmt: skip
    deadline = time.monotonic() + 10
    while not speech.cancelled and time.monotonic() < deadline:
        time.sleep(0.02)
    assert speech.cancelled == 1


def test_speech_models_are_listed_beside_the_others(client: openai.OpenAI) -> None:
    assert [m.id for m in client.models.list()] == ["qwen-test", "default", "whisper-test", "whisper-1"]


def test_numbers_and_names_are_masked_in_text_segments_words_and_subtitles(
    engine: FakeUpstream, speech: FakeSpeech, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real guardrails: a card number that runs over two segments is in none of them."""
    speech.heard = ("カードの番号は4111-1111-", "1111-1111です。", "以上です。")
    options = {"speech": speech.url, "guardrails": load_policy(None)}
    with running_gateway(tmp_path, monkeypatch, engine.url, **options) as gateway:
        answers = [
            ask(gateway, response_format=form, **more)
            for form, more in (
                ("json", {}), ("text", {}), ("srt", {}), ("vtt", {}), ("json", {"stream": "true"}),
                ("verbose_json", {"timestamp_granularities[]": ["word", "segment"]}),
            )
        ]  # fmt: skip
    for answer in answers:
        assert answer.status_code == 200 and "1111" not in answer.text, answer.text
        assert "CARD" in answer.text and "以上です" in answer.text
    full = answers[-1].json()
    assert [s["text"].startswith(t) for s, t in zip(full["segments"], ("カードの番号は[[CARD", "です。", "以上"), strict=True)]
    assert sum("CARD" in word["word"] for word in full["words"]) == 1


def test_its_length_is_in_the_ledger(
    engine: FakeUpstream, speech: FakeSpeech, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_gateway(tmp_path, monkeypatch, engine.url, real_audit=True, speech=speech.url) as gateway:
        for more in ({}, {"stream": "true"}):
            assert ask(gateway, **more).status_code == 200
        with gateway.services.ledger.engine.connect() as connection:
            rows = connection.execute(sa.select(LEDGER)).all()
    assert [(row.state, row.surface, row.audio_ms) for row in rows] == [("settled", "transcriptions", 4000)] * 2
