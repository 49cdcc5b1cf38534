"""The apps' client against a real HTTP server: answers with their origin, errors translated one by one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from apps.common.client import Answer, GatewayClient, Question, read_key
from kakehashi.errors import KakehashiError, NotReady, UpstreamError
from kakehashi.prompts import Message, Prompt

PROMPT = Prompt(id="t.echo", version="3", description="", messages=[Message(role="user", content="{text}")])
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}


class Upstream(BaseHTTPRequestHandler):
    """Answers by the text of the question: a number is a status to fail with, anything else is echoed."""

    seen: ClassVar[list[tuple[dict[str, str], dict[str, Any]]]] = []
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append(({k.lower(): v for k, v in self.headers.items()}, body))
        text = body["messages"][-1]["content"]
        if text.isdigit():
            self._send(int(text), {"error": {"message": "no", "type": "t", "param": None, "code": "c"}})
            return
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        self._send(
            200,
            {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage},
        )

    def _send(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        headers = {"content-type": "application/json", "content-length": str(len(raw)), "x-request-id": "req_7"}
        headers |= {"x-kakehashi-model": "qwen", "x-kakehashi-policy": "default@1", "x-should-retry": "false"}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Upstream.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(text: str, **options: Any) -> Question:
    return Question(PROMPT, {"text": text}, **options)


def test_an_answer_knows_request_model_prompt_and_policy(url: str) -> None:
    answer = GatewayClient(url, "kk_1").ask(ask("こんにちは"))
    assert answer.text == "こんにちは" and answer.finish_reason == "stop"
    assert answer.origin.model_dump() == {
        "source": "model",
        "request_ids": ["req_7"],
        "model": "qwen",
        "prompt": "t.echo@3",
        "policy": "default@1",
    }
    assert answer.usage == {"input": 3, "output": 2}


def test_who_asks_for_what_travels_in_headers(url: str) -> None:
    GatewayClient(url, "kk_1", app="minutes", job="j1", user="佐藤 花子").ask(ask("x"))
    headers, _ = Upstream.seen[0]
    assert headers["authorization"] == "Bearer kk_1"
    assert (headers["x-kakehashi-app"], headers["x-kakehashi-job"]) == ("minutes", "j1")
    assert headers["x-kakehashi-prompt"] == "t.echo@3"
    assert headers["x-kakehashi-user"].isascii()


def test_a_schema_is_sent_and_the_answer_parsed(url: str) -> None:
    client = GatewayClient(url, "k")
    assert client.ask(ask('{"ok": true}', schema=SCHEMA)).data == {"ok": True}
    assert Upstream.seen[0][1]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert client.ask(ask('{"ok": tr', schema=SCHEMA)).data is None, "junk is no data, and no exception"
    assert client.ask(ask('{"ok": true}')).data is None, "without a schema nothing is parsed"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        ("401", UpstreamError, "key_refused"),
        ("403", UpstreamError, "key_refused"),
        ("429", UpstreamError, "rate_limited"),
        ("503", NotReady, "engine_down"),
        ("504", NotReady, "engine_down"),
        ("400", UpstreamError, "gateway_error"),
        ("500", UpstreamError, "gateway_error"),
    ],
)
def test_errors_are_translated(url: str, status: str, kind: type[KakehashiError], code: str) -> None:
    with pytest.raises(kind) as caught:
        GatewayClient(url, "k").ask(ask(status))
    assert caught.value.code == code


def test_one_failed_question_does_not_take_the_others(url: str) -> None:
    answers = GatewayClient(url, "k").ask_many([ask("a"), ask("400"), ask("b")])
    assert [a.text if isinstance(a, Answer) else a.code for a in answers] == ["a", "gateway_error", "b"]
    assert GatewayClient(url, "k").ask_many([]) == []


def test_a_gateway_that_is_not_there_is_said_so() -> None:
    with pytest.raises(NotReady) as caught:
        GatewayClient("http://127.0.0.1:9/v1", "k").ask(ask("x"))
    assert caught.value.code == "gateway_down"


def test_the_key_file(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="make up"):
        read_key(tmp_path / "minutes.key")
    (tmp_path / "minutes.key").write_text("kk_9\n")
    assert read_key(tmp_path / "minutes.key") == "kk_9"
