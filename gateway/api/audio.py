"""``/v1/audio/transcriptions`` and ``/v1/audio/translations``: the pipeline's life, with a recording beside the body.

The recording goes from the client to the disk and from there to the engine; the gateway looks at its first bytes (what
kind of file it is) and never decodes it: that is the speech worker's business, in a process of its own. The audit log
keeps its hash, size and length, never the sound.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import orjson
from starlette.routing import Route

from gateway.api.client import Client
from gateway.api.dialect import Asked, Billed
from gateway.api.exchange import Exchange, Surface
from gateway.api.multipart import Form, Upload, read_form
from gateway.api.params import TRANSCRIPTIONS, TRANSLATIONS, sift
from gateway.api.pipeline import Pipeline
from gateway.api.services import Services
from gateway.api.stream import Relay
from gateway.api.upstream_answer import read_answer
from gateway.api.usage import Usage
from gateway.audio import transcript
from gateway.audio.stream import TranscriptRelay
from gateway.audio.transcript import Transcript
from gateway.audit.record import Intent, Outcome
from gateway.errors import BadRequest
from gateway.guardrails.types import RequestGuard
from gateway.limits.meter import estimate_tokens
from kakehashi import sniff

_ENDINGS = {"matroska": "webm", "mov": "m4a", "mpegts": "ts", "asf": "wma"}  # FFmpeg's names of containers
_KINDS = {
    "program": "an executable program",
    "pdf": "a PDF document",
    "zip": "a ZIP archive or Office document",
    "office": "an old Office document",
    "image": "a picture",
    "playlist": "a playlist",
    "text": "text",
    "archive": "a compressed archive",
    "midi": "MIDI data",
    "unknown": "of an unknown type",
}
_DETAILED = ("srt", "vtt", "verbose_json")  # forms that need segments
_PLAIN = {"text": "text/plain; charset=utf-8", "srt": "text/plain; charset=utf-8", "vtt": "text/vtt; charset=utf-8"}


class AudioDialect(Billed):
    """Transcripts; whole answers are read by the pipeline below, which needs more of them than a dialect tells."""

    def demands(self, body: Mapping[str, Any], *, streams: bool) -> dict[str, Any]:
        """Segments where our forms need them: SRT and WebVTT are written here, from the guarded text."""
        detailed = body.get("response_format") in _DETAILED
        return {"response_format": "verbose_json" if detailed else "json"}

    def relay(self, guard: RequestGuard, asked: Asked) -> Relay:
        return TranscriptRelay(guard)

    def guarded(self, guard: RequestGuard, answer: dict[str, Any], asked: Asked) -> dict[str, Any]:
        raise NotImplementedError  # see AudioPipeline._answer_whole

    def finish_reason(self, answer: dict[str, Any]) -> str:
        return "stop"


def _check(body: dict[str, Any]) -> None:
    if not isinstance(body.get("model"), str):
        raise BadRequest("'model' is missing.", code="missing_required_parameter", param="model")
    form = body.get("response_format", "json")
    if body.get("stream") and form not in ("json", "text"):
        raise BadRequest("A stream has the response_format json or text.", param="response_format")
    if body.get("timestamp_granularities") and form != "verbose_json":
        raise BadRequest("'timestamp_granularities' needs response_format verbose_json.", param="response_format")


_DIALECT = AudioDialect()
SURFACES = (
    Surface("transcriptions", "/audio/transcriptions", TRANSCRIPTIONS, _check, ("prompt",), dialect=_DIALECT),
    Surface("translations", "/audio/translations", TRANSLATIONS, _check, ("prompt",), dialect=_DIALECT),
)


@dataclass(slots=True)
class AudioExchange(Exchange):
    """An exchange with a recording. ``container``: FFmpeg's name of what its first bytes are."""

    upload: Upload = field(kw_only=True)
    container: str = field(kw_only=True)
    seconds: float | None = None

    def encode(self, salt_key: bytes) -> Callable[..., Any]:
        """The form for an upstream, the recording read from the disk as it is sent. No ``cache_salt``: no prefix cache."""
        named, make = {**self.forward, **_DIALECT.demands(self.forward, streams=self.streams)}, Exchange.encode

        def encode(*chosen: Any) -> AsyncIterator[bytes]:
            told = orjson.loads(make(self, salt_key)(*chosen))
            return self._form({**named, "model": told["model"]})

        return encode

    @property
    def audio_ms(self) -> int:
        return round((self.seconds or 0) * 1000)

    async def _form(self, named: Mapping[str, Any]) -> AsyncIterator[bytes]:
        border = f"--{self.boundary}\r\n"
        for name, value in named.items():
            several = isinstance(value, list)
            for one in value if several else [value]:
                head = f'{border}Content-Disposition: form-data; name="{name}{"[]" if several else ""}"\r\n\r\n'
                yield f"{head}{_form_text(one)}\r\n".encode()
        # A neutral name: the client's may name people.
        ending = _ENDINGS.get(self.container, self.container)
        head = f'{border}Content-Disposition: form-data; name="file"; filename="audio.{ending}"\r\n'
        yield f"{head}Content-Type: application/octet-stream\r\n\r\n".encode()
        for part in self.upload.parts():
            yield part
        yield f"\r\n--{self.boundary}--\r\n".encode()

    @property
    def boundary(self) -> str:
        return f"kakehashi-{self.client.request_id}-{self.upload.sha256[:16]}"

    def upstream_headers(self) -> dict[str, str]:
        told = Exchange.upstream_headers(self)
        return {**told, "content-type": f"multipart/form-data; boundary={self.boundary}"}

    def intent(self, forward: dict[str, Any] | None) -> Intent:
        told = {"sha256": self.upload.sha256, "bytes": self.upload.size, "container": self.container}
        return replace(Exchange.intent(self, forward), audio=told)

    def outcome(self, outcome: str, status: int, error: str) -> Outcome:
        return replace(Exchange.outcome(self, outcome, status, error), audio_seconds=self.seconds)


def _form_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class AudioPipeline(Pipeline):
    """The pipeline of one audio surface; ``services``: with the router and pool of the speech engines."""

    async def _begin(self, client: Client) -> AudioExchange:
        """Who asks, and for what; the key before the first byte of the recording. Raises as the pipeline's does."""
        started, settings = time.perf_counter(), self.services.settings
        key = client.acting or await self.services.keys.verify(client.authorization())
        key.require_surface(self.surface.name)
        form = await read_form(client, self.services.scratch, settings.max_audio_bytes)
        try:
            upload = form.required_upload()
            container = _container(upload)
            sifted = sift(_body(form), self.surface.allowed)
            self.surface.check(sifted.body)
            guard, prompt = self._guard(key.profile, client), client.prompt()
            return AudioExchange(
                self.surface, client, key, sifted, prompt, guard, started, trace=client.trace,
                upload=upload, container=container,
            )  # fmt: skip
        except BaseException:
            form.close()
            raise

    async def _answer_whole(self, x: Exchange) -> None:
        assert isinstance(x, AudioExchange)  # noqa: S101 - made by _begin
        x.usage = None
        async with x.client.watched(), self._sent(x) as reply:
            answer, x.received = await read_answer(reply)
        x.replied = time.perf_counter()
        x.enter("guardrails")
        found = transcript.read(answer)
        x.seconds, x.upstream_model = found.seconds, str(answer.get("model") or "")[:200]
        x.usage = Usage.of(answer.get("usage")) or Usage(x.prompt_guess(), estimate_tokens(found.text), exact=False)
        x.finish_reason = "stop"
        told = transcript.guarded(found, lambda text: _guarded(x, text))
        x.enter("audit")
        await self._store_outcome(x, "ok", 200)
        form = x.body.get("response_format", "json")
        task = "translate" if self.surface.name == "translations" else "transcribe"
        body = _told(told, form, task, x.body.get("timestamp_granularities", ()))
        await x.client.answer(200, body, x.headers(), _PLAIN.get(form, "application/json"))

    async def _store_outcome(self, x: Exchange, outcome: str, status: int, error: str = "") -> None:
        if isinstance(x, AudioExchange) and isinstance(x.relay, TranscriptRelay):
            x.seconds = x.relay.seconds
        await Pipeline._store_outcome(self, x, outcome, status, error)

    async def _settle(self, x: Exchange) -> None:
        try:
            await Pipeline._settle(self, x)
        finally:
            if isinstance(x, AudioExchange):
                x.upload.close()


def _guarded(x: Exchange, text: str) -> str:
    """One text of the answer, whole. Raises Blocked."""
    guard = x.guard.stream(("transcript", uuid4().hex))
    return guard.feed(text) + guard.finish()


def _told(found: Transcript, form: str, task: str, granularities: Any) -> bytes:
    if form == "verbose_json":
        return orjson.dumps(transcript.as_verbose_json(found, task, granularities))
    if form == "json":
        return orjson.dumps(transcript.as_json(found))
    texts: dict[str, Callable[[Transcript], str]] = {
        "text": lambda t: t.text + "\n",
        "srt": transcript.as_srt,
        "vtt": transcript.as_vtt,
    }
    return texts[form](found).encode()


def _container(upload: Upload) -> str:
    """What the first bytes say it is. Raises BadRequest for what is no recording, whatever its name."""
    head = upload.head(sniff.HEAD_BYTES)
    found = sniff.demuxer(head)
    if found is None:
        kind = _KINDS[sniff.kind(head)]
        raise BadRequest(
            f"'file' is no recording: it is {kind}, whatever its name. Send wav, mp3, m4a, mp4, webm, ogg or flac.",
            code="invalid_file_format",
            param="file",
        )
    return found


def _body(form: Form) -> dict[str, Any]:
    """The fields as JSON would have them: numbers, booleans, lists; what is none stays a text and fails its check."""
    body: dict[str, Any] = {}
    for name, values in form.fields.items():
        plain = name.removesuffix("[]")
        body[plain] = values if name != plain or plain == "timestamp_granularities" else values[-1]
    if isinstance(body.get("temperature"), str):
        body["temperature"] = _as_number(body["temperature"])
    if body.get("stream") in ("true", "false", "True", "False"):
        body["stream"] = body["stream"].lower() == "true"
    return {name: value for name, value in body.items() if value not in ("", [])}


def _as_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def routes(services: Services) -> list[Route]:
    """Plain ASGI endpoints, on the router and the pool of the speech engines."""
    speech = replace(services, router=services.speech.router, pool=services.speech.pool)
    return [Route(f"/v1{s.path}", AudioPipeline(speech, s), methods=["POST"], name=s.name) for s in SURFACES]
