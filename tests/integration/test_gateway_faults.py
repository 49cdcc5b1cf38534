"""Faults of the neighbours, one by one: the engine's socket, the database's disk, Redis, the client that does not read.

Each time: the client is told the truth, nothing stays open or reserved, a record says what happened, the next one is served.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import redis
import sqlalchemy as sa

from gateway import wire
from gateway.api import sse
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.raw_upstream import Act, RawUpstream, hang, reset, running_raw, says
from tests.helpers.running_gateway import RunningGateway, running_gateway

REDIS = os.environ.get("KAKEHASHI_TEST_REDIS", "redis://127.0.0.1:6379/15")
ASKED = {"model": "default", "messages": [{"role": "user", "content": "こんにちは"}], "max_tokens": 50}
OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = json.dumps(
    {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 1},
     "choices": [{"index": 0, "message": {"role": "assistant", "content": "はい"}, "finish_reason": "stop"}]}
).encode()  # fmt: skip
CHUNK = b'data: {"id":"x","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"ab"},"finish_reason":null}]}\n\n'
EVENTS = OK + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def until(condition: Callable[[], bool], problem: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, problem
        time.sleep(0.01)


def sized(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return OK + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % size + body


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


# -- the engine's socket -----------------------------------------------------------------------------------------------

BEFORE: dict[str, Act] = {
    "accepts and never answers": hang,
    "half a status line": says(b"HTTP/1.1 20", then=hang),
    "half a header": says(OK + b"content-ty", then=hang),
    "headers without end": says(OK, *(b"x-a: " + b"a" * 8_000 + b"\r\n" for _ in range(100)), then=hang),
    "no HTTP at all": says(b"\x16\x03\x01 nonsense\r\n\r\n"),
    "closes at once": says(),
    "resets at once": reset,
    "resets inside the head": says(OK + b"content-", then=reset),
    "two lengths": says(OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef"),
    "only interim answers": says(*(b"HTTP/1.1 102 Processing\r\n\r\n" for _ in range(50)), then=hang),
    "a redirect into the network": says(
        b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/latest/meta-data\r\ncontent-length: 0\r\n\r\n"
    ),
    "an answer too short": says(sized(WHOLE, len(WHOLE) + 10)),
    "compressed without being asked": says(
        OK + b"content-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00"
    ),
    "204 and nothing": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "an empty answer": says(sized(b"")),
    "an answer of another kind": says(sized(b"[1, 2]")),
    "chunks that are broken": says(EVENTS + b"zz\r\n" + CHUNK),
}
INSIDE: dict[str, Act] = {
    "resets inside": says(EVENTS + chunked(CHUNK), then=reset),
    "closes inside": says(EVENTS + chunked(CHUNK)),
    "closes inside a chunk": says(EVENTS + b"ffff\r\n" + CHUNK),
    "falls silent": says(EVENTS + chunked(CHUNK), then=hang),
    "breaks its chunks": says(EVENTS + chunked(CHUNK), then=lambda raw: (time.sleep(0.2), raw.sendall(b"zz\r\n"))[0]),
    "ends well but unfinished": says(EVENTS + chunked(CHUNK) + b"0\r\n\r\n"),
    "ends inside a frame": says(EVENTS + chunked(CHUNK) + chunked(b'data: {"choices": [') + b"0\r\n\r\n"),
    "says what is no JSON": says(EVENTS + chunked(CHUNK) + chunked(b"data: <html>\n\n"), then=hang),
    "says a number": says(EVENTS + chunked(CHUNK) + chunked(b"data: 5\n\n"), then=hang),
    "says bytes that are no text": says(EVENTS + chunked(CHUNK) + chunked(b"data: \xff\xfe\n\n"), then=hang),
    "says an error": says(
        EVENTS + chunked(CHUNK) + chunked(b'data: {"error": {"message": "out of memory"}}\n\n'), then=hang
    ),
    "says a frame without end": says(EVENTS + chunked(CHUNK), *(chunked(b"x" * 100_000) for _ in range(9)), then=hang),
}


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    with running_raw() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def before_it(raw: RawUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    limits = {"first_byte_timeout_s": 0.4, "idle_timeout_s": 0.4, "breaker_failures": 10_000}
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, raw.url, **limits) as gateway,
    ):
        yield gateway


def served(gateway: RunningGateway, raw: RawUpstream, key: str) -> None:
    raw.act = says(sized(WHOLE))
    answer = httpx.post(
        f"{gateway.url}/chat/completions", json=ASKED, headers={"authorization": f"Bearer {key}"}, timeout=20
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("act", BEFORE.values(), ids=BEFORE)
def test_an_engine_that_fails_before_its_answer(
    before_it: RunningGateway, raw: RawUpstream, act: Act, stream: bool
) -> None:
    raw.act, key = act, before_it.key()
    headers = {"authorization": f"Bearer {key}"}
    answer = httpx.post(
        f"{before_it.url}/chat/completions", json={**ASKED, "stream": stream}, headers=headers, timeout=20
    )
    assert answer.status_code in (502, 503, 504), answer.text
    assert answer.json()["error"]["code"].startswith("upstream_") and answer.headers["x-request-id"]
    assert "127.0.0.1" not in answer.text and "169.254" not in answer.text
    _, [outcome] = before_it.audit.of(answer.headers["x-request-id"])
    assert outcome.outcome in ("upstream_error", "upstream_timeout") and outcome.status == answer.status_code
    assert before_it.services.pool.upstreams[0].in_flight == 0
    served(before_it, raw, key)


@pytest.mark.parametrize("act", INSIDE.values(), ids=INSIDE)
def test_an_engine_that_fails_inside_a_stream(
    before_it: RunningGateway, raw: RawUpstream, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "FRAME_LIMIT", 500_000)
    raw.act, key = act, before_it.key()
    headers = {"authorization": f"Bearer {key}"}
    answer = httpx.post(
        f"{before_it.url}/chat/completions", json={**ASKED, "stream": True}, headers=headers, timeout=20
    )
    assert answer.status_code == 200 and "[DONE]" not in answer.text
    last = json.loads(answer.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"].startswith("upstream_"), last
    assert '"ab"' in answer.text  # what had been said was told
    _, [outcome] = before_it.audit.of(answer.headers["x-request-id"])
    assert outcome.outcome in ("upstream_error", "upstream_timeout") and outcome.completion_tokens == 1
    assert before_it.services.pool.upstreams[0].in_flight == 0
    served(before_it, raw, key)


def test_a_storm_of_errors_passes_without_a_trace(
    engine: FakeUpstream, upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred at once against an engine that answers 500, 503 and nothing in turn; then it recovers."""
    with running_gateway(tmp_path, monkeypatch, upstream.url, breaker_open_s=0.2) as gateway:
        key = gateway.key(tpm=1_000_000)
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(headers=headers, timeout=60, limits=httpx.Limits(max_connections=100)) as http:

            def ask(number: int) -> httpx.Response:
                upstream.mode, upstream.status = ("error", 500 + 3 * (number % 2)) if number % 3 else ("cut_head", 500)
                return http.post(f"{gateway.url}/chat/completions", json=ASKED)

            with ThreadPoolExecutor(50) as pool:
                answers = list(pool.map(ask, range(200)))
            assert {answer.status_code for answer in answers} <= {502, 503}
            assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
            assert gateway.services.pool.upstreams[0].in_flight == 0
            until(lambda: len(gateway.audit.outcomes) == len(gateway.audit.intents), "an intent has no outcome")
            upstream.reset()
            until(
                lambda: http.post(f"{gateway.url}/chat/completions", json=ASKED).status_code == 200,
                "it does not recover",
            )


# -- the client --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_client_that_never_reads_holds_nothing(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr("gateway.api.client.WRITE_TIMEOUT_S", 0.5)
    monkeypatch.setattr(wire, "UNREAD_TIMEOUT_S", 1)
    upstream.answer, upstream.piece = "続" * 3_000_000, 3_000
    with running_gateway(tmp_path, monkeypatch, upstream.url) as gateway:
        body = json.dumps({**ASKED, "stream": stream}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.key()}\r\n"
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", urlsplit(gateway.url).port))
            deaf.sendall(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
            until(lambda: len(gateway.audit.outcomes) == 1, "no outcome was recorded")
            until(lambda: gateway.services.pool.upstreams[0].in_flight == 0, "the engine still works for it")
            time.sleep(1.5)
            deaf.settimeout(5)
            with pytest.raises(ConnectionError):  # the server has given the connection up, and its buffers with it
                for _ in range(100):
                    deaf.sendall(b"x")
                    time.sleep(0.05)
        assert gateway.audit.outcomes[0].outcome == ("client_gone" if stream else "ok")


# -- Redis -------------------------------------------------------------------------------------------------------------


class Cable:
    """A TCP forwarder to Redis that can be pulled out and put back."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target, self._pairs = target, list[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.plugged = True
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self.plugged:
                    near.close()
                    continue
                far = socket.create_connection(self._target)
                self._pairs += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def pull(self) -> None:
        self.plugged = False
        for end in self._pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def close(self) -> None:
        self.pull()
        self._listener.close()


@pytest.mark.redis
def test_redis_gone_and_back(upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = urlsplit(REDIS)
    try:
        redis.Redis.from_url(REDIS).ping()
    except redis.ConnectionError as error:
        pytest.skip(f"Redis does not run here ({REDIS}): {error}")
    cable = Cable((address.hostname or "127.0.0.1", address.port or 6379))
    through = f"redis://127.0.0.1:{cable.port}{address.path}"
    with running_gateway(tmp_path, monkeypatch, upstream.url, redis_url=through) as gateway:
        headers = {"authorization": f"Bearer {gateway.key(rpm=1000)}"}

        def ask() -> httpx.Response:
            return httpx.post(f"{gateway.url}/chat/completions", json=ASKED, headers=headers, timeout=20)

        assert ask().status_code == 200
        cable.pull()
        refused = ask()
        assert refused.status_code == 503 and refused.headers["retry-after"] and refused.headers["x-request-id"]
        assert str(cable.port) not in refused.text and len(upstream.requests) == 1
        cable.plugged = True
        until(lambda: ask().status_code == 200, "it does not recover")
    cable.close()


# -- the disk ----------------------------------------------------------------------------------------------------------


def test_a_full_disk_refuses_and_recovers(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own bound on a file's size stands in for the disk: the same error, from the same place."""
    room = {"pages": 1_000_000}

    def begin(connection: Any) -> None:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA max_page_count = {room['pages']}")

    sa.event.listen(sa.Engine, "begin", begin)
    try:
        with running_gateway(tmp_path, monkeypatch, upstream.url, real_audit=True) as gateway:
            headers = {"authorization": f"Bearer {gateway.key()}"}

            def ask(**more: Any) -> httpx.Response:
                body = {**ASKED, **more}
                return httpx.post(f"{gateway.url}/chat/completions", json=body, headers=headers, timeout=20)

            assert ask().status_code == 200
            room["pages"] = 1  # SQLite then allows not a page more than there are
            answers = [ask(user="x" * 20_000) for _ in range(20)]
            refused = answers[-1]
            assert refused.status_code == 503 and refused.json()["error"]["code"] == "audit_unavailable"
            assert str(tmp_path) not in refused.text
            reached = len(upstream.requests)
            assert ask(user="x" * 20_000).status_code == 503 and len(upstream.requests) == reached
            room["pages"] = 1_000_000
            until(lambda: ask().status_code == 200, "it does not recover")
    finally:
        sa.event.remove(sa.Engine, "begin", begin)
