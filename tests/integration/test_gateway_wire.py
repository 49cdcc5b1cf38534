"""What is no honest HTTP: smuggled requests, broken framing, tricks with paths. Raw bytes against the real server.

Whatever comes, the answer is a refusal or a closed connection, and the engine sees at most the one request it should.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway import wire
from gateway.api import client
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.running_gateway import RunningGateway, running_gateway

BODY = json.dumps({"model": "default", "messages": [{"role": "user", "content": "hi"}]}).encode()
HIDDEN = b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, engine.url, max_body_bytes=100_000) as server,
    ):
        yield server


def connected(gateway: RunningGateway, port: int | None = None) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port or int(gateway.root.rsplit(":", 1)[1])), timeout=10)


def heard(raw: socket.socket, silence_s: float = 10.0) -> bytes:
    """Everything the server says until it closes the connection or falls silent."""
    said = b""
    raw.settimeout(silence_s)
    with suppress(TimeoutError, ConnectionError):
        while part := raw.recv(65536):
            said += part
    return said


def spoken(gateway: RunningGateway, *parts: bytes, port: int | None = None) -> bytes:
    """What the server answers to these bytes. Some make it wait for more: then it is silent, and that is no answer."""
    with connected(gateway, port) as raw:
        with suppress(TimeoutError, ConnectionError):
            for part in parts:
                raw.sendall(part)
        return heard(raw, silence_s=1.0)


def head(
    gateway: RunningGateway, *lines: bytes, target: bytes = b"/v1/chat/completions", method: bytes = b"POST"
) -> bytes:
    key = f"authorization: Bearer {gateway.key()}".encode()
    return b"\r\n".join((method + b" " + target + b" HTTP/1.1", b"host: x", key, *lines, b"", b""))


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


def length(body: bytes = BODY) -> bytes:
    return b"content-length: %d" % len(body)


CHUNKED = b"transfer-encoding: chunked"
BAD_FRAMING = {
    "length and chunks": [length(), CHUNKED],
    "chunks and length": [CHUNKED, length()],
    "two lengths that differ": [length(), b"content-length: 5"],
    "two lengths in one": [b"content-length: %d, 5" % len(BODY)],
    "a negative length": [b"content-length: -1"],
    "a length with a sign": [b"content-length: +%d" % len(BODY)],
    "a length in hex": [b"content-length: 0x10"],
    "a length beyond counting": [b"content-length: 99999999999999999999999"],
    "a coding nobody knows": [b"transfer-encoding: xchunked"],
    "chunks that are not last": [b"transfer-encoding: chunked, identity"],
    "chunks twice": [CHUNKED, CHUNKED],
    "chunks by another name": [b"transfer-encoding : chunked"],
    "a space before the colon": [b"content-length : %d" % len(BODY)],
    "a folded header": [b"x-a: 1", b" content-length: 5", length()],
    "a NUL in a value": [b"x-a: a\x00b", length()],
    "a bare CR in a value": [b"x-a: a\rtransfer-encoding: chunked", length()],
    "a NUL in a name": [b"x-\x00a: b", length()],
    "a header without a colon": [b"nonsense", length()],
    "an empty name": [b": x", length()],
}


@pytest.mark.parametrize("lines", BAD_FRAMING.values(), ids=BAD_FRAMING)
def test_framing_that_two_servers_could_read_differently_is_refused(
    gateway: RunningGateway, upstream: FakeUpstream, lines: list[bytes]
) -> None:
    said = spoken(gateway, head(gateway, *lines) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY) + HIDDEN)
    assert all(status in (400, 413, 431) for status in statuses(said)), said[:300]
    assert upstream.requests == []


BAD_CHUNKS = {
    "a size that is no number": b"zz\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a negative size": b"-1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a size beyond counting": b"fffffffffffffffff\r\n" + BODY,
    "a size too small": b"5\r\n" + BODY + b"\r\n0\r\n\r\n",
    "no line end after a chunk": b"%x\r\n" % len(BODY) + BODY + b"0\r\n\r\n",
    "a size ended by LF alone": b"%x\n" % len(BODY) + BODY + b"\n0\n\n",
    "a NUL in an extension": b"%x;a=\x00\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("chunks", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_broken_chunks_are_refused(gateway: RunningGateway, upstream: FakeUpstream, chunks: bytes) -> None:
    said = spoken(gateway, head(gateway, CHUNKED) + chunks + HIDDEN)
    assert all(status == 400 for status in statuses(said)), said[:300]
    assert b"x-request-id" in said or not said
    assert upstream.requests == []


def test_sound_chunks_are_read(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    parts = b"5\r\n" + BODY[:5] + b"\r\n%x;ext=1\r\n" % (len(BODY) - 5) + BODY[5:] + b"\r\n0\r\nx-trailer: 1\r\n\r\n"
    assert statuses(spoken(gateway, head(gateway, CHUNKED, b"connection: close") + parts)) == [200]
    assert len(upstream.requests) == 1


def test_trailers_are_no_headers(gateway: RunningGateway) -> None:
    key = f"authorization: Bearer {gateway.key()}\r\n".encode()
    start = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + CHUNKED + b"\r\n\r\n"
    said = spoken(gateway, start + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n" + key + b"\r\n")
    assert statuses(said) == [401]


def test_pipelined_requests_are_answered_in_order_each_with_its_own_key(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    one = head(gateway, length()) + BODY
    none = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + length() + b"\r\n\r\n" + BODY
    assert statuses(spoken(gateway, one + one + none)) == [200, 200, 401]
    assert len(upstream.requests) == 2


def test_a_request_hidden_in_a_body_stays_a_body(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    said = spoken(gateway, head(gateway, length(HIDDEN), b"connection: close") + HIDDEN)
    assert statuses(said) == [400] and upstream.requests == []


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/../metrics", b"/v1/../v1/chat/completions", b"//v1/chat/completions", b"/v1//chat/completions",
        b"/v1/chat/completions/", b"/v1/%2e%2e/v1/chat/completions", b"/v1/chat%2fcompletions", b"/V1/chat/completions",
        b"/v1/chat/completions%00", b"/v1/chat/completions;x=1", b"/v1/chat\\completions", b"/invocations",
        b"/v1/load_lora_adapter", b"/pause", b"/v1/../pause", b"/tokenize", b"/v1/../tokenize", b"/admin/keys",
        b"/%2e%2e/admin/keys", b"/inference/v1/generate", b"/update_weights", b"/sleep", b"/collective_rpc",
        b"/v1/chat/completions/render", b"/score", b"/rerank", b"/pooling", b"/classify", b"/load", b"/detokenize",
        b"/v2/embed", b"/reset_prefix_cache", b"/scale_elastic_ep",
    ],
)  # fmt: skip
def test_only_the_addresses_we_know_as_they_are_written_lead_to_the_engine(
    gateway: RunningGateway, upstream: FakeUpstream, target: bytes
) -> None:
    said = spoken(gateway, head(gateway, length(), b"connection: close", target=target) + BODY)
    assert statuses(said)[0] in (400, 404, 405) and b"x-request-id" in said
    assert upstream.requests == []


@pytest.mark.parametrize(
    "target", [b"http://evil.example/v1/chat/completions", b"http://127.0.0.1:1/v1/chat/completions"]
)
def test_an_absolute_address_does_not_make_us_a_proxy(
    gateway: RunningGateway, upstream: FakeUpstream, target: bytes
) -> None:
    said = spoken(gateway, head(gateway, length(), b"connection: close", target=target) + BODY)
    assert statuses(said)[0] in (200, 400, 404) and len(upstream.requests) == (statuses(said) == [200])


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE", b"PRI", b"GET", b"PUT", b"chat"])
def test_other_methods_reach_nothing(gateway: RunningGateway, upstream: FakeUpstream, method: bytes) -> None:
    said = spoken(gateway, head(gateway, length(), b"connection: close", method=method) + BODY)
    assert set(statuses(said)) <= {400, 405} and upstream.requests == []


def test_an_upgrade_is_not_taken(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    lines = (b"connection: upgrade, close", b"upgrade: websocket", b"sec-websocket-key: x", length())
    said = spoken(gateway, head(gateway, *lines) + BODY)
    assert b"101" not in said[:20] and len(upstream.requests) <= 1
    said = spoken(gateway, head(gateway, b"connection: upgrade, http2-settings", b"upgrade: h2c", length()) + BODY)
    assert b" 101 " not in said[:20]


def test_headers_are_bounded_in_bytes_and_number(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    huge = head(gateway, b"x-a: " + b"a" * 40_000, length(), b"connection: close") + BODY
    many = head(gateway, *(b"x-%d: 1" % i for i in range(5_000)), length(), b"connection: close") + BODY
    endless = [b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n", *(b"x-a: " + b"a" * 65_536 for _ in range(64))]
    for parts in ([huge], [many], endless, [b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"]):
        assert set(statuses(spoken(gateway, *parts))) <= {400, 404, 414, 431}
    assert upstream.requests == []


@pytest.mark.parametrize(
    "line", [b"authorization: Bearer kk_other", b"Host: y", b"x-kakehashi-user: a\r\nX-Kakehashi-User: b"]
)
def test_a_header_that_decides_something_comes_once(
    gateway: RunningGateway, upstream: FakeUpstream, line: bytes
) -> None:
    said = spoken(gateway, head(gateway, line, length()) + BODY)
    assert statuses(said) == [400] and b"invalid_http" in said and b"x-request-id: " in said
    assert upstream.requests == []


def test_rubbish_after_a_request_never_becomes_a_part_of_its_answer(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    upstream.mode, upstream.pause_s, upstream.answer = "slow", 0.05, "続" * 60
    streamed = BODY[:-1] + b', "stream": true}'
    with connected(gateway) as raw:
        raw.sendall(head(gateway, length(streamed)) + streamed)
        assert b"200" in raw.recv(16)
        raw.sendall(b"\x00\x01 rubbish\r\n\r\n")
        said = heard(raw)
    assert b"HTTP/1.1" not in said and b"[DONE]" not in said


class TestSlowClients:
    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wire, "HEAD_TIMEOUT_S", 0.3)
        monkeypatch.setattr(wire, "LINGER_S", 0.3)
        monkeypatch.setattr(client, "BODY_TIMEOUT_S", 0.3)

    @pytest.mark.parametrize(
        "begun", [b"", b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-a: "], ids=["none", "half"]
    )
    def test_a_head_that_does_not_come_ends_the_connection(self, gateway: RunningGateway, begun: bytes) -> None:
        with connected(gateway) as raw:
            raw.sendall(begun)
            said = heard(raw)
        assert statuses(said) == [408] and b"x-request-id: " in said

    def test_a_head_byte_by_byte_does_not_buy_more_time(self, gateway: RunningGateway) -> None:
        with connected(gateway) as raw, suppress(ConnectionError):
            raw.sendall(b"GET /health/live HTTP/1.1\r\n")
            for _ in range(200):
                raw.sendall(b"x-a: 1\r\n")
                time.sleep(0.02)
            pytest.fail("the connection stayed open")

    def test_nor_does_a_second_head_on_a_connection_that_was_used(self, gateway: RunningGateway) -> None:
        with connected(gateway) as raw:
            raw.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b"200" in raw.recv(65536)
            raw.sendall(b"GET /health/live HTTP/1.1\r\nho")
            assert statuses(heard(raw)) == [408]

    def test_a_body_that_does_not_come_is_408(self, gateway: RunningGateway, upstream: FakeUpstream) -> None:
        with connected(gateway) as raw:
            raw.sendall(head(gateway, length()) + BODY[:5])
            said = heard(raw)
        assert statuses(said) == [408] and b"x-request-id: " in said and upstream.requests == []

    def test_a_body_after_its_answer_is_drained_only_for_a_moment(self, gateway: RunningGateway) -> None:
        with connected(gateway) as raw:
            raw.sendall(head(gateway, b"content-length: 99999999") + b"x" * 1000)
            said = raw.recv(65536)
            assert statuses(said) == [413] and b"x-request-id: " in said
            with suppress(ConnectionError):
                for _ in range(200):
                    raw.sendall(b"x" * 1000)
                    time.sleep(0.02)
                pytest.fail("the connection stayed open")

    def test_others_are_served_meanwhile(self, gateway: RunningGateway, upstream: FakeUpstream) -> None:
        slow = [connected(gateway) for _ in range(100)]
        for raw in slow:
            raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
        assert statuses(spoken(gateway, head(gateway, length(), b"connection: close") + BODY)) == [200]
        for raw in slow:
            raw.close()


def test_a_chunked_body_over_the_limit_is_413_before_it_is_read_whole(
    gateway: RunningGateway, upstream: FakeUpstream
) -> None:
    with connected(gateway) as raw:
        raw.sendall(head(gateway, CHUNKED))
        for _ in range(10):
            raw.sendall(b"4e20\r\n" + b"x" * 20_000 + b"\r\n")
        said = raw.recv(65536)
    assert statuses(said) == [413] and upstream.requests == []


def test_http_1_0_gets_an_answer_and_a_closed_connection(gateway: RunningGateway) -> None:
    said = spoken(gateway, (head(gateway, length()) + BODY).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert statuses(said) == [200]


def test_the_admin_port_is_as_strict(gateway: RunningGateway) -> None:
    port = int(gateway.admin_url.rsplit(":", 1)[1])
    for lines in ([length(), CHUNKED], [length(), b"content-length: 5"], [b"content-length : 5"]):
        said = spoken(gateway, head(gateway, *lines, target=b"/admin/keys") + BODY, port=port)
        assert statuses(said) == [400]
