"""An OpenAI-style speech engine that hears what it is told to hear, and fails when it is told to."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from tests.helpers.fake_upstream import FakeUpstream

HEARD = ("おはようございます。", "担当の山田太郎です。")  # two segments of two seconds each


class FakeSpeech(FakeUpstream):
    """``heard``: the segments; ``forms``: the fields of each request; ``audio``: the recordings as they arrived.

    Modes besides those of :class:`FakeUpstream` that make sense here: plain (no times told), chunks (vLLM's streams).
    """

    heard: tuple[str, ...] = HEARD

    def reset(self) -> FakeUpstream:
        super().reset()
        self.heard = HEARD
        self.forms: list[dict[str, list[str]]] = []
        self.audio: list[bytes] = []
        self.names: list[str] = []
        self.models = [{"id": "whisper-test", "object": "model", "created": 1, "owned_by": "kakehashi"}]
        return self

    def application(self) -> web.Application:
        self.reset()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/audio/transcriptions", self._guarded(self._hear))
        app.router.add_post("/v1/audio/translations", self._guarded(self._hear))
        return app

    async def _hear(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        upload = form["file"]
        assert isinstance(upload, web.FileField)
        self.audio.append(upload.file.read())
        self.names.append(upload.filename)
        self.forms.append({name: [str(v) for v in form.getall(name)] for name in form if name != "file"})
        self.requests.append({"form": self.forms[-1]})
        if self.mode == "error":
            return web.Response(body=self.error_body, status=self.status, headers=self.error_headers)
        if self.mode == "stall":
            await asyncio.sleep(60)
        if self.forms[-1].get("stream") == ["true"]:
            return await self._pieces(request)
        told = self._answer(self.forms[-1]["response_format"][0])
        return web.json_response(told, dumps=lambda value: json.dumps(value, ensure_ascii=False))

    def _answer(self, form: str) -> dict[str, Any]:
        text = "".join(self.heard)
        told: dict[str, Any] = {"text": text, "model": "whisper-test"}
        if self.mode == "plain":
            return told
        seconds = 2.0 * len(self.heard)
        told["usage"] = {"type": "duration", "seconds": seconds}
        if form != "verbose_json":
            return told
        segments = [
            {"id": n, "start": 2.0 * n, "end": 2.0 * n + 2, "text": t, "tokens": [1, 2], "avg_logprob": -0.2}
            for n, t in enumerate(self.heard)
        ]
        words = [{"word": w, "start": 0.5 * n, "end": 0.5 * n + 0.5} for n, w in enumerate(_words(text))]
        return {**told, "language": "ja", "duration": seconds, "segments": segments, "words": words}

    async def _pieces(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        text = "".join(self.heard)
        for at in range(0, len(text), 3):
            await response.write(_frame(self._piece(text[at : at + 3])))
            if self.mode == "cut_mid" and at == 6:
                assert request.transport
                request.transport.abort()
                return response
        if self.mode == "chunks":
            usage = {"type": "duration", "seconds": 4}
            await response.write(_frame({"object": "transcription.chunk", "choices": [], "usage": usage}))
            await response.write(b"data: [DONE]\n\n")
        else:
            usage = {"type": "duration", "seconds": 4.0}
            await response.write(_frame({"type": "transcript.text.done", "text": text, "usage": usage}))
        return response

    def _piece(self, text: str) -> dict[str, Any]:
        if self.mode == "chunks":
            return {"object": "transcription.chunk", "choices": [{"delta": {"content": text}}]}
        return {"type": "transcript.text.delta", "delta": text}


def _frame(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


def _words(text: str) -> list[str]:
    """In pieces of two characters, as Whisper cuts where it likes."""
    return [text[at : at + 2] for at in range(0, len(text), 2)]
