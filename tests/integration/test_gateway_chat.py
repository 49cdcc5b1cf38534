"""Requests through a real gateway to a fake engine with every fault: what the client, the engine and the audit see."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.fake_upstream import FakeUpstream, tool_calls
from tests.helpers.fakes import NAME, PLACEHOLDER
from tests.helpers.running_gateway import RunningGateway, running_gateway

ASK = "山田太郎さんの件、来週火曜日までに😀をお願いします。Grüße!"


@pytest.fixture(scope="module")
def server(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    options = {"first_byte_timeout_s": 0.6, "idle_timeout_s": 0.6, "max_body_bytes": 100_000}
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, engine.url, **options) as gateway,
    ):
        yield gateway


@pytest.fixture
def gateway(server: RunningGateway, upstream: FakeUpstream) -> RunningGateway:
    server.audit.broken = False
    server.audit.intents.clear()
    server.audit.outcomes.clear()
    return server


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {gateway.key()}"}
    with httpx.Client(base_url=gateway.url + "/", headers=headers, timeout=20) as http:
        yield http


def body(content: Any = ASK, **more: Any) -> dict[str, Any]:
    return {"model": "default", "messages": [{"role": "user", "content": content}], **more}


def frames(text: str) -> list[Any]:
    assert text.endswith("\n\n")
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in text.split("\n\n") if line]


def said(text: str) -> str:
    chunks = [frame for frame in frames(text) if isinstance(frame, dict) and "choices" in frame]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class TestAnswer:
    def test_is_masked_upstream_restored_for_the_client_and_recorded_masked(
        self, client: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway
    ) -> None:
        answer = client.post("chat/completions", json=body())
        assert answer.status_code == 200
        assert answer.json()["choices"][0]["message"]["content"] == ASK
        assert answer.json()["vendor_field"] == {"kept": True}
        assert upstream.requests[0]["messages"][0]["content"] == ASK.replace(NAME, PLACEHOLDER)
        [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
        assert PLACEHOLDER in intent.body.decode() and NAME not in intent.body.decode()
        assert PLACEHOLDER in outcome.body.decode() and NAME not in outcome.body.decode()
        assert (outcome.outcome, outcome.status, outcome.finish_reason) == ("ok", 200, "stop")
        assert outcome.prompt_tokens == 7 and outcome.completion_tokens > 0
        assert [d["rule"] for d in outcome.decisions] == ["test.person", "test.person"]

    def test_names_what_made_it(self, client: httpx.Client, gateway: RunningGateway) -> None:
        headers = {
            "x-kakehashi-prompt": "minutes.points@1", "x-kakehashi-app": "minutes", "x-kakehashi-job": "j1",
            "x-kakehashi-user": "%E5%B1%B1%E6%9C%AC", "x-request-id": "mine",
        }  # fmt: skip
        answer = client.post("chat/completions", json=body(), headers=headers)
        told = answer.headers
        assert told["x-request-id"].startswith("req_") and told["x-client-request-id"] == "mine"
        assert (told["x-kakehashi-model"], told["x-kakehashi-policy"]) == ("qwen-test", "fake@1")
        assert told["x-kakehashi-prompt"] == "minutes.points@1"
        [intent], _ = gateway.audit.of(told["x-request-id"])
        assert (intent.prompt, intent.app, intent.job, intent.user) == ("minutes.points@1", "minutes", "j1", "山本")
        assert (intent.surface, intent.model, intent.policy, intent.stream) == ("chat", "default", "fake@1", False)

    def test_goes_upstream_under_our_id_salt_and_model_and_nothing_of_the_clients_headers(
        self, client: httpx.Client, upstream: FakeUpstream
    ) -> None:
        asked = body(cache_salt="other-team", priority=-5, request_id="forged", temperature=0.5)
        answer = client.post("chat/completions", json=asked, headers={"x-secret": "1", "cookie": "a=b"})
        sent, headers = upstream.requests[0], upstream.headers[0]
        assert sent["model"] == "qwen-test" and sent["temperature"] == 0.5
        assert len(sent["cache_salt"]) == 64 and not {"priority", "request_id"} & set(sent)
        assert set(answer.headers["x-kakehashi-ignored-params"].split(",")) == {"cache_salt", "priority", "request_id"}
        assert headers["x-request-id"] == answer.headers["x-request-id"]
        assert not {"x-secret", "cookie", "authorization"} & set(headers)

    def test_is_salted_by_team(self, gateway: RunningGateway, upstream: FakeUpstream) -> None:
        gateway.services.identity.create_team("a")
        for team in (None, "a", "a"):
            headers = {"authorization": f"Bearer {gateway.key(team=team)}"}
            assert httpx.post(gateway.url + "/chat/completions", json=body(), headers=headers).status_code == 200
        none, first, second = (request["cache_salt"] for request in upstream.requests)
        assert none != first == second

    def test_of_several_choices(self, client: httpx.Client) -> None:
        choices = client.post("chat/completions", json=body(n=3)).json()["choices"]
        assert [choice["index"] for choice in choices] == [0, 1, 2]

    def test_of_tools_passes_through(self, client: httpx.Client, upstream: FakeUpstream) -> None:
        upstream.mode = "tools"
        message = client.post("chat/completions", json=body()).json()["choices"][0]["message"]
        assert message["tool_calls"] == tool_calls()

    def test_blocked_by_the_policy_has_no_content(
        self, client: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway
    ) -> None:
        upstream.answer = "これは禁句です"
        answer = client.post("chat/completions", json=body())
        choice = answer.json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("", "content_filter")
        _, [outcome] = gateway.audit.of(answer.headers["x-request-id"])
        assert "禁句" in outcome.body.decode() and outcome.decisions[-1]["action"] == "block"

    def test_of_a_large_request_and_answer(self, client: httpx.Client) -> None:
        text = "山田太郎と申します。" * 3000
        assert client.post("chat/completions", json=body(text)).json()["choices"][0]["message"]["content"] == text

    def test_of_completions_and_embeddings(self, client: httpx.Client, gateway: RunningGateway) -> None:
        whole = client.post("completions", json={"model": "default", "prompt": ASK})
        assert whole.json()["choices"][0]["text"] == ASK
        streamed = client.post("completions", json={"model": "default", "prompt": ASK, "stream": True})
        chunks = [f for f in frames(streamed.text) if isinstance(f, dict)]
        assert "".join(choice["text"] for chunk in chunks for choice in chunk["choices"]) == ASK
        vectors = client.post("embeddings", json={"model": "default", "input": ["a", "b"]})
        assert [item["embedding"] for item in vectors.json()["data"]] == [[0.1, 0.2]] * 2
        _, [outcome] = gateway.audit.of(vectors.headers["x-request-id"])
        assert (outcome.prompt_tokens, outcome.body) == (5, b"")


class TestRequest:
    def test_blocked_by_the_policy_never_reaches_the_engine(
        self, client: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway
    ) -> None:
        for stream in (False, True):
            answer = client.post("chat/completions", json=body("これは攻撃です", stream=stream))
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["type"]) == (400, "content_blocked", "guardrail_violation")
            assert error["message"] == "この内容は送れません。 [test.attack]"
            [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
            assert (intent.body, outcome.outcome, outcome.decisions[0]["rule"]) == (b"", "blocked", "test.attack")
        assert upstream.requests == []

    @pytest.mark.parametrize(
        ("raw", "message"),
        [
            (b"", "is empty"),
            (b"{", "not valid JSON"),
            (b"[1]", "must be a JSON object"),
            ('{"model":"日本'.encode()[:-1], "not valid UTF-8"),
            ("{'model': 1}".encode("utf-16"), "not valid UTF-8"),
            (b'{"model":"default"}', "'messages'"),
            (b'{"messages":[]}', "'model'"),
            (b'{"model":"default","messages":[{"role":"user","content":"x"}],"n":99}', "'n'"),
        ],
    )
    def test_that_cannot_be_read_says_why(self, client: httpx.Client, raw: bytes, message: str) -> None:
        answer = client.post("chat/completions", content=raw, headers={"content-type": "application/json"})
        assert answer.status_code == 400 and message in answer.json()["error"]["message"]

    def test_for_an_unknown_model_is_not_found(self, client: httpx.Client) -> None:
        answer = client.post("chat/completions", json={**body(), "model": "gpt-4"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")

    def test_outside_the_keys_scope_is_forbidden_and_recorded(self, gateway: RunningGateway) -> None:
        headers = {"authorization": f"Bearer {gateway.key(models=('other',))}"}
        answer = httpx.post(gateway.url + "/chat/completions", json=body(), headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")
        _, [outcome] = gateway.audit.of(answer.headers["x-request-id"])
        assert (outcome.outcome, outcome.error) == ("refused", "model_not_allowed")

    def test_under_a_profile_that_is_gone_is_refused(self, gateway: RunningGateway) -> None:
        headers = {"authorization": f"Bearer {gateway.key(profile='nope')}"}
        answer = httpx.post(gateway.url + "/chat/completions", json=body(), headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "policy_misconfigured")

    def test_over_the_size_is_refused_before_it_is_read_whole(
        self, client: httpx.Client, gateway: RunningGateway
    ) -> None:
        declared = client.post("chat/completions", json=body("x" * 200_000))
        assert (declared.status_code, declared.json()["error"]["code"]) == (413, "request_too_large")
        key = client.headers["authorization"]
        sent = 0
        with socket.create_connection(("127.0.0.1", int(gateway.root.rsplit(":", 1)[1]))) as raw:
            raw.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\n"
                        "transfer-encoding: chunked\r\n\r\n".encode())  # fmt: skip
            raw.settimeout(10)
            for _ in range(11):  # 110 kB of an endless body
                raw.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
                sent += 10_000
            assert raw.recv(1000).startswith(b"HTTP/1.1 413")

    def test_compressed_is_refused_by_name(self, client: httpx.Client) -> None:
        answer = client.post("chat/completions", content=b"x", headers={"content-encoding": "gzip"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_encoding")

    def test_with_huge_headers_is_refused(self, client: httpx.Client) -> None:
        answer = client.post("chat/completions", json=body(), headers={"x-big": "x" * 40_000})
        assert (answer.status_code, answer.json()["error"]["code"]) == (431, "headers_too_large")


class TestStream:
    @pytest.mark.parametrize("split", [0, 1, 7])
    def test_is_masked_and_restored_wherever_bytes_are_cut(
        self, client: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway, split: int
    ) -> None:
        upstream.split_bytes = split
        answer = client.post("chat/completions", json=body(stream=True))
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert said(answer.text) == ASK and frames(answer.text)[-1] == "[DONE]"
        assert upstream.requests[0]["stream_options"] == {"include_usage": True}
        assert all("usage" not in frame for frame in frames(answer.text)[:-1])
        [intent], [outcome] = gateway.audit.of(answer.headers["x-request-id"])
        assert intent.stream and PLACEHOLDER in outcome.body.decode() and NAME not in outcome.body.decode()
        assert outcome.ttft_ms is not None and outcome.prompt_tokens == 7

    def test_shows_usage_to_those_who_asked(self, client: httpx.Client) -> None:
        answer = client.post("chat/completions", json=body(stream=True, stream_options={"include_usage": True}))
        *chunks, done = frames(answer.text)
        assert done == "[DONE]" and chunks[-1]["choices"] == [] and chunks[-1]["usage"]["prompt_tokens"] == 7
        assert all(chunk["usage"] is None for chunk in chunks[:-1])

    def test_stores_its_outcome_before_the_last_byte(self, client: httpx.Client, gateway: RunningGateway) -> None:
        with client.stream("POST", "chat/completions", json=body(stream=True)) as answer:
            for line in answer.iter_lines():
                if line == "data: [DONE]":
                    assert len(gateway.audit.of(answer.headers["x-request-id"])[1]) == 1

    def test_comes_piece_by_piece(self, client: httpx.Client, upstream: FakeUpstream) -> None:
        upstream.mode, upstream.pause_s = "slow", 0.2
        arrivals = []
        with client.stream("POST", "chat/completions", json=body("一二三四五六七八九", stream=True)) as answer:
            arrivals = [time.monotonic() for line in answer.iter_lines() if '"content"' in line]
        assert len(arrivals) >= 3 and arrivals[-1] - arrivals[0] > 0.15

    def test_of_tools_keeps_index_and_id(self, client: httpx.Client, upstream: FakeUpstream) -> None:
        upstream.mode = "tools"
        answer = client.post("chat/completions", json=body(stream=True))
        gathered: dict[int, str] = {}
        ids = {}
        for chunk in frames(answer.text)[:-1]:
            for call in chunk["choices"][0]["delta"].get("tool_calls", []):
                gathered[call["index"]] = gathered.get(call["index"], "") + call["function"].get("arguments", "")
                ids |= {call["index"]: call["id"]} if "id" in call else {}
        assert [gathered[0], gathered[1]] == [call["function"]["arguments"] for call in tool_calls()]
        assert ids == {0: "call_0", 1: "call_1"}

    def test_of_reasoning_passes(self, client: httpx.Client, upstream: FakeUpstream) -> None:
        upstream.mode = "reasoning"
        answer = client.post("chat/completions", json=body(stream=True))
        deltas = [chunk["choices"][0]["delta"] for chunk in frames(answer.text)[:-1]]
        assert "".join(delta.get("reasoning", "") for delta in deltas) == "考え中"

    def test_of_several_choices(self, client: httpx.Client) -> None:
        answer = client.post("chat/completions", json=body("三つ", stream=True, n=2))
        chunks = frames(answer.text)[:-1]
        assert {choice["index"] for chunk in chunks for choice in chunk["choices"]} == {0, 1}

    def test_blocked_ends_at_once_and_stops_the_engine(
        self, client: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway
    ) -> None:
        upstream.mode, upstream.pause_s, upstream.answer = "slow", 0.05, "前置き。禁句。" + "続" * 300
        answer = client.post("chat/completions", json=body(stream=True))
        assert "前置き".startswith(said(answer.text)[:3]) and "禁" not in answer.text
        *chunks, done = frames(answer.text)
        assert done == "[DONE]" and chunks[-1]["choices"][0]["finish_reason"] == "content_filter"
        _, [outcome] = gateway.audit.of(answer.headers["x-request-id"])
        assert outcome.finish_reason == "content_filter" and outcome.completion_tokens < 20
        until(lambda: upstream.cancelled == 1, "the engine went on")

    def test_without_done_but_complete_is_complete(self, client: httpx.Client, upstream: FakeUpstream) -> None:
        upstream.mode = "no_done"
        assert frames(client.post("chat/completions", json=body(stream=True)).text)[-1] == "[DONE]"


class TestFaults:
    """A fault before the first byte is a status; one after it is an error frame without [DONE]."""

    @pytest.mark.parametrize(
        ("mode", "status", "code", "outcome"),
        [
            ("cut_head", 502, "upstream_disconnected", "upstream_error"),
            ("stall", 504, "upstream_timeout", "upstream_timeout"),
            ("not_json", 502, "upstream_bad_answer", "upstream_error"),
        ],
    )
    def test_before_the_answer(
        self, client: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway,
        mode: str, status: int, code: str, outcome: str,
    ) -> None:  # fmt: skip
        upstream.mode = mode
        answer = client.post("chat/completions", json=body())
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        _, [stored] = gateway.audit.of(answer.headers["x-request-id"])
        assert (stored.outcome, stored.status, stored.error) == (outcome, status, code)
        assert len(upstream.requests) == 1  # what was accepted is not sent again

    @pytest.mark.parametrize(
        ("mode", "code"),
        [
            ("cut_mid", "upstream_disconnected"),
            ("clean_cut", "upstream_disconnected"),
            ("silent_mid", "upstream_idle_timeout"),
            ("bad_chunk", "upstream_bad_chunk"),
            ("error_chunk", "upstream_error"),
        ],
    )
    def test_inside_a_stream(
        self, client: httpx.Client, upstream: FakeUpstream, gateway: RunningGateway, mode: str, code: str
    ) -> None:
        upstream.mode = mode
        answer = client.post("chat/completions", json=body("あいうえおかきくけこ", stream=True))
        assert answer.status_code == 200 and said(answer.text).startswith("あいう")
        *_, last = frames(answer.text)
        assert last["error"]["code"] == code and "[DONE]" not in answer.text
        _, [stored] = gateway.audit.of(answer.headers["x-request-id"])
        assert stored.outcome in ("upstream_error", "upstream_timeout") and stored.error == code
        assert "あいう" in stored.body.decode() and stored.completion_tokens == 2

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(
        ("theirs", "raw", "ours", "code", "message"),
        [
            (400, b'{"error":{"message":"too long","type":"BadRequestError","param":"messages","code":400}}', 400,
             "upstream_refused", "too long"),
            (400, '{"object":"error","message":"長い","code":400}'.encode(), 400, "upstream_refused", "長い"),
            (422, b'{"detail":[{"loc":["body","x"],"msg":"bad"}]}', 422, "upstream_refused", "bad"),
            (404, b'{"error":{"message":"no such","code":"model_not_found"}}', 404, "model_not_found", "no such"),
            (429, b"slow down", 429, "upstream_refused", "answered 429"),
            (401, b'{"error":"wrong key sk-upstream"}', 502, "upstream_unauthorized", "refuses the gateway's API key"),
            (500, b'{"error":{"message":"CUDA error"}}', 502, "upstream_error", "CUDA error"),
            (503, b'{"error":{"message":"queue full"}}', 503, "upstream_overloaded", "queue full"),
            (504, b"", 504, "upstream_timeout", "in time"),
            (302, b"", 502, "upstream_error", "302"),
        ],
    )  # fmt: skip
    def test_of_the_engine_keep_their_status_and_words(
        self, client: httpx.Client, upstream: FakeUpstream, stream: bool,
        theirs: int, raw: bytes, ours: int, code: str, message: str,
    ) -> None:  # fmt: skip
        upstream.mode, upstream.status, upstream.error_body = "error", theirs, raw
        upstream.error_headers = {"retry-after": "7", "location": "http://127.0.0.1:1/"}
        answer = client.post("chat/completions", json=body(stream=stream))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (ours, code)
        assert message in error["message"] and set(error) == {"message", "type", "param", "code"}
        if ours in (429, 503):
            assert answer.headers["retry-after"] == "7"

    def test_an_error_before_the_first_frame_of_a_stream_has_a_true_status(
        self, client: httpx.Client, upstream: FakeUpstream
    ) -> None:
        upstream.mode, upstream.raw = "raw", b'data: {"error":{"message":"queue full","code":503}}\n\ndata: [DONE]\n\n'
        answer = client.post("chat/completions", json=body(stream=True))
        assert (answer.status_code, answer.json()["error"]["message"]) == (503, "queue full")

    def test_an_error_that_says_200_is_an_error(self, client: httpx.Client, upstream: FakeUpstream) -> None:
        upstream.mode, upstream.raw = "raw", b'{"error": {"message": "no"}}'
        assert client.post("chat/completions", json=body()).status_code == 502


class TestLeaving:
    @pytest.mark.parametrize("stream", [False, True])
    def test_client_stops_the_engine_and_is_billed_for_what_it_used(
        self, upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
    ) -> None:
        upstream.mode, upstream.pause_s = ("slow", 0.05) if stream else ("stall", 0)
        with running_gateway(tmp_path, monkeypatch, upstream.url) as gateway:
            headers = {"authorization": f"Bearer {gateway.key()}"}
            with httpx.Client(timeout=httpx.Timeout(10, read=0.5)) as http:
                url = gateway.url + "/chat/completions"
                if stream:
                    with http.stream("POST", url, json=body("続" * 600, stream=True), headers=headers) as answer:
                        next(answer.iter_bytes())
                else:
                    with pytest.raises(httpx.ReadTimeout):
                        http.post(url, json=body(), headers=headers)
            until(lambda: upstream.cancelled == 1, "the engine was not told")
            until(lambda: len(gateway.audit.outcomes) == 1, "no outcome was recorded")
            [outcome] = gateway.audit.outcomes
            assert (outcome.outcome, outcome.status, outcome.error) == ("client_gone", 499, "client_gone")
            assert outcome.prompt_tokens > 0 and (outcome.completion_tokens > 0) == stream
            assert gateway.services.pool.upstreams[0].in_flight == 0

    def test_client_with_half_a_body_harms_nothing(self, client: httpx.Client, gateway: RunningGateway) -> None:
        port = int(gateway.root.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as raw:
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: {client.headers['authorization']}\r\n"
            )
            raw.sendall(f"{head}content-length: 100\r\n\r\n{{".encode())
        assert client.post("chat/completions", json=body()).status_code == 200
        assert len(gateway.audit.intents) == 1


class TestLimits:
    def test_requests_over_the_limit_get_429(self, gateway: RunningGateway) -> None:
        headers = {"authorization": f"Bearer {gateway.key(rpm=2, tpm=100_000)}"}
        answers = [httpx.post(gateway.url + "/chat/completions", json=body(), headers=headers) for _ in range(3)]
        if answers[2].status_code == 200:  # the minute turned in between
            answers = [httpx.post(gateway.url + "/chat/completions", json=body(), headers=headers) for _ in range(3)]
        assert [a.headers["x-ratelimit-remaining-requests"] for a in answers[:2]] == ["1", "0"]
        assert answers[0].headers["x-ratelimit-limit-tokens"] == "100000"
        assert (answers[2].status_code, answers[2].json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert 1 <= int(answers[2].headers["retry-after"]) <= 60

    def test_two_hundred_at_once_do_not_overshoot(self, gateway: RunningGateway, upstream: FakeUpstream) -> None:
        headers = {"authorization": f"Bearer {gateway.key(rpm=20)}"}
        statuses: list[int] = []

        def ask() -> None:
            with httpx.Client(timeout=30) as http:
                statuses.extend(
                    http.post(gateway.url + "/chat/completions", json=body(), headers=headers).status_code
                    for _ in range(10)
                )

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) <= {200, 429}
        assert (
            statuses.count(200) == len(upstream.requests) and 20 <= len(upstream.requests) <= 40
        )  # one or two minutes

    def test_a_failed_request_gives_its_tokens_back(self, gateway: RunningGateway, upstream: FakeUpstream) -> None:
        headers = {"authorization": f"Bearer {gateway.key(tpm=2_000)}"}
        upstream.mode, upstream.status = "error", 400
        for _ in range(5):
            answer = httpx.post(gateway.url + "/chat/completions", json=body(max_tokens=1_500), headers=headers)
            assert answer.status_code == 400


class TestAudit:
    def test_without_a_record_there_is_no_answer(
        self, client: httpx.Client, gateway: RunningGateway, upstream: FakeUpstream
    ) -> None:
        gateway.audit.broken = True
        for stream in (False, True):
            answer = client.post("chat/completions", json=body(stream=stream))
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "audit_unavailable")
        assert upstream.requests == []

    def test_a_stream_whose_outcome_cannot_be_stored_is_not_finished(
        self, client: httpx.Client, gateway: RunningGateway, upstream: FakeUpstream
    ) -> None:
        upstream.mode, upstream.pause_s = "slow", 0.1
        with client.stream("POST", "chat/completions", json=body("一二三四五六", stream=True)) as answer:
            lines = answer.iter_lines()
            next(lines)
            gateway.audit.broken = True
            text = "\n".join(lines)
        assert "audit_unavailable" in text and "[DONE]" not in text

    def test_can_be_told_to_go_on(
        self, upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with running_gateway(tmp_path, monkeypatch, upstream.url, audit_fail_closed=False) as gateway:
            gateway.audit.broken = True
            headers = {"authorization": f"Bearer {gateway.key()}"}
            assert httpx.post(gateway.url + "/chat/completions", json=body(), headers=headers).status_code == 200
            assert "kakehashi_audit_failures_total 2.0" in httpx.get(gateway.root + "/metrics").text
