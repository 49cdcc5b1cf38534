"""An OpenAI-compatible server that says what it is told to, and fails in every way an engine can fail."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.helpers import fake_surfaces

VLLM_MODEL = {"id": "qwen-test", "object": "model", "created": 1, "owned_by": "vllm", "max_model_len": 8192,
              "root": "/secret/path/on/disk", "permission": [{"id": "modelperm-1"}]}  # fmt: skip


@dataclass
class FakeUpstream:
    """Set ``mode`` before a request. ``requests`` holds what arrived, ``cancelled`` counts requests cut by the caller.

    Modes: echo, tools, reasoning, error (``status``, ``error_body``), stall (never answers), slow (a chunk every
    ``pause_s``), silent_mid (two chunks, then nothing), cut_head (closes before a byte), cut_mid (closes mid-stream),
    clean_cut (ends without finish or [DONE]), bad_chunk, error_chunk, not_json, no_done, raw (``raw`` as it is).
    """

    mode: str = "echo"
    answer: str | None = None
    status: int = 500
    error_body: bytes = b'{"object":"error","message":"boom","type":"InternalServerError","param":null,"code":500}'
    error_headers: dict[str, str] = field(default_factory=dict)
    raw: bytes = b""
    pause_s: float = 0.05
    piece: int = 3  # characters of a streamed chunk
    split_bytes: int = 0  # write the stream in pieces of so many bytes, wherever that cuts
    usage: bool = True
    models: list[dict[str, Any]] | None = field(default_factory=lambda: [dict(VLLM_MODEL)])
    models_status: int = 200
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    cancelled: int = 0
    adapters: bool = False  # started with --enable-lora and run-time updating
    adapter_error: str = ""  # why it does not load one
    told: list[tuple[str, str, str]] = field(default_factory=list)  # load or unload, name, path
    counted: dict[str, int] = field(default_factory=lambda: {"prompt": 0, "generation": 0})  # tokens, as vLLM counts
    url: str = ""
    port: int = 0

    def reset(self) -> FakeUpstream:
        """As new, on the same port."""
        fresh = FakeUpstream()
        for name in vars(fresh):
            if name not in ("url", "port"):
                setattr(self, name, getattr(fresh, name))
        return self

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/v1/chat/completions", self._guarded(self._chat))
        app.router.add_post("/v1/completions", self._guarded(self._chat))
        app.router.add_post("/v1/embeddings", self._embeddings)
        app.router.add_post("/v1/load_lora_adapter", self._load_adapter)
        app.router.add_post("/v1/unload_lora_adapter", self._unload_adapter)
        app.router.add_post("/v1/responses", self._guarded(self._chat))
        app.router.add_post("/v1/messages", self._guarded(self._chat))
        app.router.add_post("/v1/audio/transcriptions", self._guarded(self._audio))
        app.router.add_post("/v1/audio/translations", self._guarded(self._audio))
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_post("/v1/messages/count_tokens", self._tokenize)
        return app

    async def _metrics(self, request: web.Request) -> web.Response:
        lines = [
            f'vllm:{kind}_tokens_total{{engine="0",model_name="qwen-test"}} {count}.0'
            for kind, count in self.counted.items()
        ]
        return web.Response(text="\n".join(["# TYPE vllm:prompt_tokens counter", *lines, ""]))

    async def _models(self, request: web.Request) -> web.Response:
        if self.models is None:
            raise web.HTTPNotFound
        return web.json_response({"object": "list", "data": self.models}, status=self.models_status)

    async def _load_adapter(self, request: web.Request) -> web.Response:
        if not self.adapters:
            raise web.HTTPNotFound(text='{"detail":"Not Found"}')
        asked = await request.json()
        name, path = asked["lora_name"], asked["lora_path"]
        self.told.append(("load", name, path))
        if self.adapter_error:
            return _vllm_error(500, self.adapter_error)
        if name in self._listed():
            return _vllm_error(400, f"The lora adapter '{name}' has already been loaded. If you want to …")
        self.models = [*(self.models or []), {**VLLM_MODEL, "id": name, "root": path, "parent": "qwen-test"}]
        return web.Response(text=f"Success: LoRA adapter '{name}' added successfully.")

    async def _unload_adapter(self, request: web.Request) -> web.Response:
        if not self.adapters:
            raise web.HTTPNotFound(text='{"detail":"Not Found"}')
        name = (await request.json())["lora_name"]
        self.told.append(("unload", name, ""))
        if name not in self._listed():
            return _vllm_error(404, f"The lora adapter '{name}' cannot be found.")
        self.models = [model for model in self.models or [] if model["id"] != name]
        return web.Response(text=f"Success: LoRA adapter '{name}' removed successfully.")

    def _listed(self) -> set[str]:
        return {model["id"] for model in self.models or []}

    def restart(self) -> None:
        """A new process has nothing loaded."""
        self.models = [model for model in self.models or [] if "parent" not in model]

    def _guarded(self, handler: Any) -> Any:
        async def run(request: web.Request) -> web.StreamResponse:
            try:
                if self.adapters and (asked := (await request.json())["model"]) not in self._listed():
                    return _vllm_error(404, f"The model `{asked}` does not exist.", "model")
                answer: web.StreamResponse = await handler(request)
                return answer
            except (asyncio.CancelledError, ConnectionResetError):
                self.cancelled += 1
                raise

        return run

    async def _embeddings(self, request: web.Request) -> web.Response:
        body = await self._note(request)
        if self.mode == "error":
            return web.Response(body=self.error_body, status=self.status, headers=self.error_headers)
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [{"object": "embedding", "index": i, "embedding": [0.1, 0.2]} for i in range(len(texts))]
        usage = {"prompt_tokens": 5, "total_tokens": 5}
        return web.json_response({"object": "list", "model": body["model"], "data": data, "usage": usage})

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await self._note(request)
        if self.mode == "error":
            return web.Response(body=self.error_body, status=self.status, headers=self.error_headers)
        ids = [ord(char) for char in fake_surfaces.said_to(body)]
        if request.path.endswith("/count_tokens"):
            return web.json_response({"input_tokens": len(ids), "context_management": {"original_input_tokens": 9}})
        return web.json_response({"count": len(ids), "max_model_len": 8192, "tokens": ids, "token_strs": None})

    async def _audio(self, request: web.Request) -> web.StreamResponse:
        """It hears what the prompt says (see ``fake_speech`` for one that hears something)."""
        form = await request.post()
        body = {name: str(value) for name, value in form.items() if name != "file"}
        self.requests.append(body)
        if self.mode == "error":
            return web.Response(body=self.error_body, status=self.status, headers=self.error_headers)
        text = body.get("prompt", "") if self.answer is None else self.answer
        usage = {"type": "tokens", "input_tokens": 7, "output_tokens": len(text), "total_tokens": 7 + len(text)}
        if "stream" not in body:
            told = {"text": text, "model": "qwen-test", "usage": usage}
            return web.json_response(told, dumps=lambda value: json.dumps(value, ensure_ascii=False))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in ({"type": "transcript.text.delta", "delta": text},
                      {"type": "transcript.text.done", "text": text, "usage": usage}):  # fmt: skip
            await self._write(response, b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n")
        return response

    async def _note(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.requests.append(body)
        self.headers.append({k.lower(): v for k, v in request.headers.items()})
        return body

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await self._note(request)
        if self.mode == "error":
            return web.Response(body=self.error_body, status=self.status, headers=self.error_headers)
        if self.mode == "stall":
            await asyncio.sleep(60)
        if self.mode == "cut_head":
            assert request.transport
            request.transport.abort()
            await asyncio.sleep(0.1)
        if self.mode == "not_json":
            return web.Response(text="<html>gateway</html>")
        if self.mode == "raw" and not body.get("stream"):
            return web.Response(body=self.raw, content_type="application/json")
        surface = request.path.rpartition("/")[2]
        if surface in ("responses", "messages"):
            return await self._other(request, body, surface)
        return await self._stream(request, body) if body.get("stream") else await self._whole(body)

    async def _other(self, request: web.Request, body: dict[str, Any], surface: str) -> web.StreamResponse:
        """Responses and messages: whole, or event by event with the same faults as chat."""
        text = fake_surfaces.said_to(body) if self.answer is None else self.answer
        if not body.get("stream"):
            items = fake_surfaces.response_items(text, self.mode)
            whole = fake_surfaces.message(body, text, self.mode)
            answer = fake_surfaces.response(body, items) if surface == "responses" else whole
            return web.json_response(answer, dumps=lambda value: json.dumps(value, ensure_ascii=False))
        events = fake_surfaces.response_events if surface == "responses" else fake_surfaces.message_events
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        if self.mode == "raw":
            await self._write(response, self.raw)
            return response
        deltas = 0
        for number, (kind, event) in enumerate(events(body, text, self.mode, self.piece)):
            numbered = {"sequence_number": number} if surface == "responses" else {}
            data = json.dumps({"type": kind, **event, **numbered}, ensure_ascii=False)
            await self._write(response, f"event: {kind}\ndata: {data}\n\n".encode())
            deltas += kind.endswith("delta")
            if self.mode == "slow":
                await asyncio.sleep(self.pause_s)
            if deltas == 2 and kind.endswith("delta") and (end := await self._fault()):
                if end == "!abort" and request.transport:
                    request.transport.abort()
                if end.startswith("!"):
                    return response
                await self._write(response, b"data: " + end.encode() + b"\n\n")
        return response

    def _text(self, body: dict[str, Any]) -> str:
        if self.answer is not None:
            return self.answer
        if "prompt" in body:
            return str(body["prompt"])
        content = body["messages"][-1].get("content") or ""
        return content if isinstance(content, str) else "".join(p.get("text", "") for p in content)

    async def _whole(self, body: dict[str, Any]) -> web.Response:
        if self.mode == "slow":
            await asyncio.sleep(self.pause_s)
        text, chat = self._text(body), "messages" in body
        choices = []
        for index in range(body.get("n", 1)):
            message: dict[str, Any] = {"role": "assistant", "content": text}
            if self.mode == "tools":
                message = {"role": "assistant", "content": None, "tool_calls": tool_calls()}
            if self.mode == "reasoning":
                message["reasoning"] = "考え中"
            choice = {"index": index, "finish_reason": "tool_calls" if self.mode == "tools" else "stop"}
            choices.append({**choice, "message": message} if chat else {**choice, "text": text})
        answer = {
            "id": "chatcmpl-up", "object": "chat.completion" if chat else "text_completion", "created": 1700000000,
            "model": body["model"], "choices": choices, "vendor_field": {"kept": True},
        }  # fmt: skip
        if self.usage:
            answer["usage"] = usage_of(text, body)
        return web.json_response(answer, dumps=lambda value: json.dumps(value, ensure_ascii=False))

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        if self.mode == "raw":
            await response.prepare(request)
            await self._write(response, self.raw)
            return response
        await response.prepare(request)
        async for data in self._frames(body):
            if data == "!abort":
                assert request.transport
                request.transport.abort()
                await asyncio.sleep(0.1)
                return response
            if data == "!end":
                return response
            await self._write(response, b"data: " + data.encode() + b"\n\n")
        return response

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        size = self.split_bytes or len(data) or 1
        for at in range(0, len(data), size):
            await response.write(data[at : at + size])
            if self.split_bytes:
                await asyncio.sleep(0)

    async def _frames(self, body: dict[str, Any]) -> AsyncIterator[str]:
        chat = "messages" in body
        texts = self._text(body)
        pieces = [texts[at : at + self.piece] for at in range(0, len(texts), self.piece)]
        if chat:
            for index in range(body.get("n", 1)):
                yield self._chunk(body, {"role": "assistant", "content": ""}, index)
        if self.mode == "tools":
            for delta in tool_deltas():
                yield self._chunk(body, delta)
            yield self._chunk(body, {}, finish="tool_calls")
        else:
            if self.mode == "reasoning":
                yield self._chunk(body, {"reasoning": "考え"})
                yield self._chunk(body, {"reasoning": "中"})
            for number, piece in enumerate(pieces):
                for index in range(body.get("n", 1)):
                    yield self._chunk(body, {"content": piece} if chat else piece, index)
                if self.mode == "slow":
                    await asyncio.sleep(self.pause_s)
                if number == 1 and (end := await self._fault()):
                    yield end
                    if end.startswith("!"):
                        return
            for index in range(body.get("n", 1)):
                yield self._chunk(body, {} if chat else "", index, finish="stop")
        if self.usage and (body.get("stream_options") or {}).get("include_usage"):
            yield json.dumps({**self._head(body), "choices": [], "usage": usage_of(texts, body)})
        if self.mode != "no_done":
            yield "[DONE]"

    async def _fault(self) -> str:
        if self.mode == "silent_mid":
            await asyncio.sleep(60)
        return {
            "cut_mid": "!abort",
            "clean_cut": "!end",
            "bad_chunk": '{"choices": [',
            "error_chunk": '{"error": {"message": "engine died", "type": "InternalServerError", "code": 500}}',
        }.get(self.mode, "")

    def _head(self, body: dict[str, Any]) -> dict[str, Any]:
        kind = "chat.completion.chunk" if "messages" in body else "text_completion"
        return {"id": "chatcmpl-up", "object": kind, "created": 1700000000, "model": body["model"]}

    def _chunk(self, body: dict[str, Any], delta: Any, index: int = 0, finish: str | None = None) -> str:
        text = {"delta": delta} if "messages" in body else {"text": delta if isinstance(delta, str) else ""}
        choice = {"index": index, **text, "finish_reason": finish}
        return json.dumps({**self._head(body), "choices": [choice]}, ensure_ascii=False)


def _vllm_error(status: int, message: str, param: str | None = None) -> web.Response:
    error = {"message": message, "type": "Error", "param": param, "code": status}
    return web.json_response({"error": error}, status=status)


def tool_calls() -> list[dict[str, Any]]:
    return [
        {"id": f"call_{i}", "type": "function", "function": {"name": "weather", "arguments": f'{{"city":"{city}"}}'}}
        for i, city in enumerate(("東京", "大阪"))
    ]


def tool_deltas() -> Iterator[dict[str, Any]]:
    """Two parallel calls whose arguments come in pieces."""
    for call in tool_calls():
        index, arguments = int(call["id"][-1]), call["function"]["arguments"]
        head = {"index": index, "id": call["id"], "type": "function"}
        yield {"tool_calls": [{**head, "function": {"name": "weather", "arguments": ""}}]}
        for at in range(0, len(arguments), 4):
            yield {"tool_calls": [{"index": index, "function": {"arguments": arguments[at : at + 4]}}]}


def usage_of(text: str, body: dict[str, Any]) -> dict[str, int]:
    completion = len(text) * int(body.get("n", 1))
    return {"prompt_tokens": 7, "completion_tokens": completion, "total_tokens": 7 + completion}


@contextmanager
def running(upstream: FakeUpstream, port: int = 0) -> Iterator[FakeUpstream]:
    """Serve in a thread of its own."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        runner = web.AppRunner(upstream.application(), access_log=None, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=0.1)
        await site.start()
        upstream.port = runner.addresses[0][1]
        upstream.url = f"http://127.0.0.1:{upstream.port}/v1"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
