"""What is seen from outside: traces at a real collector, metrics by the conventions, JSON logs, live requests."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.telemetry import logs, otlp
from kakehashi.errors import ConfigError
from kakehashi.settings import Settings
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.fakes import NAME, PLACEHOLDER
from tests.helpers.otlp_receiver import Collector, Received, collecting
from tests.helpers.running_gateway import RunningGateway, running_gateway

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = CALLER[:-2] + "00"


@pytest.fixture(scope="module")
def stack(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningGateway, Collector]]:
    home = tmp_path_factory.mktemp("home")
    headers = home / "collector-headers"
    headers.write_text("x-collector-key: s3cret\n")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
        patch.setattr(otlp, "DELAY_S", 0.05)
        collector = opened.enter_context(collecting())
        options = {"otlp_endpoint": collector.url, "otlp_headers_file": str(headers), "first_byte_timeout_s": 0.6}
        yield opened.enter_context(running_gateway(home, patch, engine.url, **options)), collector


@pytest.fixture
def gateway(stack: tuple[RunningGateway, Collector], upstream: FakeUpstream) -> RunningGateway:
    return stack[0]


@pytest.fixture
def collector(stack: tuple[RunningGateway, Collector]) -> Collector:
    stack[1].spans.clear()
    stack[1].status = 200
    return stack[1]


def ask(gateway: RunningGateway, text: str = "こんにちは", key: str = "", **more: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key or gateway.key()}", **more.pop("headers", {})}
    body = {"model": "default", "messages": [{"role": "user", "content": text}], **more}
    return httpx.post(gateway.url + "/chat/completions", json=body, headers=headers, timeout=20)


def root_of(spans: list[Received]) -> Received | None:
    return next((span for span in spans if span.kind == "server"), None)


def whole(spans: list[Received]) -> bool:
    return root_of(spans) is not None


class TestTraces:
    def test_a_request_is_one_trace_whose_phases_stand_in_order_inside_the_whole(
        self, gateway: RunningGateway, collector: Collector
    ) -> None:
        answer = ask(gateway, temperature=0.5, max_tokens=7, seed=3)
        spans = collector.trace(whole)
        root = root_of(spans)
        assert root and root.name == "POST chat" and not root.parent_id and not root.failed
        names = [span.name for span in spans if span is not root]
        assert names == ["limits", "guardrails", "audit", "chat qwen-test", "guardrails", "audit"]
        assert {span.trace_id for span in spans} == {root.trace_id}
        assert {span.parent_id for span in spans if span is not root} == {root.span_id}
        edges = [edge for span in spans if span is not root for edge in (span.start_ns, span.end_ns)]
        assert edges == sorted(edges) and root.start_ns <= edges[0] and edges[-1] <= root.end_ns
        assert root.attributes["kakehashi.request.id"] == answer.headers["x-request-id"]
        assert root.attributes["http.response.status_code"] == 200

    def test_the_engines_call_speaks_the_conventions(self, gateway: RunningGateway, collector: Collector) -> None:
        ask(gateway, temperature=0.5, max_tokens=7, seed=3, n=2, response_format={"type": "json_object"})
        [call] = [span for span in collector.trace(whole) if span.kind == "client"]
        told = call.attributes
        assert call.name == "chat qwen-test"
        assert {name: told[name] for name in told if name.startswith("gen_ai.request")} == {
            "gen_ai.request.model": "qwen-test",
            "gen_ai.request.stream": False,
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.seed": 3,
            "gen_ai.request.max_tokens": 7,
            "gen_ai.request.choice.count": 2,
        }
        assert told["gen_ai.operation.name"] == "chat" and told["gen_ai.provider.name"] == "vllm"
        assert told["gen_ai.response.model"] == "qwen-test" and told["gen_ai.output.type"] == "json"
        assert told["gen_ai.response.finish_reasons"] == ["stop"]
        assert told["gen_ai.usage.input_tokens"] > 0 and told["gen_ai.usage.output_tokens"] > 0
        assert told["server.address"] == "127.0.0.1" and isinstance(told["server.port"], int)

    def test_a_stream_tells_its_time_to_the_first_text(self, gateway: RunningGateway, collector: Collector) -> None:
        ask(gateway, stream=True)
        [call] = [span for span in collector.trace(whole) if span.kind == "client"]
        assert call.attributes["gen_ai.request.stream"] is True
        assert call.attributes["gen_ai.response.time_to_first_chunk"] > 0

    def test_the_callers_trace_goes_on_through_us_to_the_engine(
        self, gateway: RunningGateway, upstream: FakeUpstream, collector: Collector
    ) -> None:
        ask(gateway, headers={"traceparent": CALLER})
        spans = collector.trace(whole)
        root, [call] = root_of(spans), [span for span in spans if span.kind == "client"]
        assert root and root.trace_id == CALLER[3:35] and root.parent_id == CALLER[36:52]
        assert upstream.headers[-1]["traceparent"] == f"00-{root.trace_id}-{call.span_id}-01"

    def test_a_caller_that_does_not_sample_is_obeyed_and_passed_on(
        self, gateway: RunningGateway, upstream: FakeUpstream, collector: Collector
    ) -> None:
        ask(gateway, headers={"traceparent": UNSAMPLED})
        ask(gateway, headers={"traceparent": CALLER})
        spans = collector.trace(whole)
        assert len([span for span in spans if span.kind == "server"]) == 1
        assert upstream.headers[-2]["traceparent"].startswith(UNSAMPLED[:36])
        assert upstream.headers[-2]["traceparent"].endswith("-00")

    @pytest.mark.parametrize("broken", ["", "nonsense", "ff" + CALLER[2:], CALLER + "-more", CALLER.replace("4", "G")])
    def test_a_broken_traceparent_begins_a_new_trace(
        self, gateway: RunningGateway, collector: Collector, broken: str
    ) -> None:
        assert ask(gateway, headers={"traceparent": broken}).status_code == 200
        root = root_of(collector.trace(whole))
        assert root and not root.parent_id and root.trace_id != CALLER[3:35]

    def test_no_content_key_or_person_is_in_any_span(self, gateway: RunningGateway, collector: Collector) -> None:
        key = gateway.key()
        headers = {"x-kakehashi-user": "tanaka", "x-kakehashi-app": "minutes"}
        ask(gateway, f"{NAME}の極秘計画", key, stop=["極秘停止"], headers=headers)
        ask(gateway, f"{NAME}の極秘計画", key, stream=True)
        spans = collector.trace(lambda spans: len([s for s in spans if s.kind == "server"]) == 2)
        text = repr(spans) + repr(collector.headers) + repr(collector.resources)
        assert not any(word in text for word in (NAME, "極秘", "tanaka", key, key[3:20]))

    def test_a_blocked_request_names_rule_and_outcome_and_has_no_call(
        self, gateway: RunningGateway, collector: Collector
    ) -> None:
        assert ask(gateway, "攻撃").status_code == 400
        spans = collector.trace(whole)
        root = root_of(spans)
        assert root and root.attributes["kakehashi.outcome"] == "blocked" and not root.failed
        assert [s.name for s in spans if s.kind == "client"] == []

    def test_an_engines_failure_is_the_calls_error(
        self, gateway: RunningGateway, upstream: FakeUpstream, collector: Collector
    ) -> None:
        upstream.mode = "error"
        ask(gateway)
        spans = collector.trace(whole)
        [call] = [span for span in spans if span.kind == "client"]
        assert call.failed and call.attributes["error.type"] == "upstream_error"
        root = root_of(spans)
        assert root and root.failed and root.attributes["error.type"] == "502"

    def test_refusals_at_the_door_are_traced_and_health_checks_are_not(
        self, gateway: RunningGateway, collector: Collector
    ) -> None:
        for path in ("/livez", "/readyz", "/metrics", "/nowhere"):
            httpx.get(gateway.root + path)
        ask(gateway, key="kk_wrong")
        root = root_of(collector.trace(whole))
        assert root and root.attributes["http.response.status_code"] == 401
        assert len(collector.spans) == 1

    def test_the_collectors_key_goes_with_each_export(self, gateway: RunningGateway, collector: Collector) -> None:
        ask(gateway)
        collector.trace(whole)
        assert collector.headers[-1]["x-collector-key"] == "s3cret"
        assert collector.headers[-1]["content-type"] == "application/x-protobuf"
        assert collector.resources[-1]["service.name"] == "kakehashi-gateway"

    def test_a_collector_that_refuses_costs_spans_and_no_request(
        self, gateway: RunningGateway, collector: Collector, caplog: pytest.LogCaptureFixture
    ) -> None:
        collector.status, before = 400, collector.posts
        assert ask(gateway).status_code == 200
        counts = gateway.services.tracer and gateway.services.tracer.counts
        assert counts
        collector.trace(lambda _: counts.failed >= 7 and collector.posts > before)
        assert "answers 400" in caplog.text and "s3cret" not in caplog.text
        metrics = httpx.get(gateway.root + "/metrics").text
        assert 'kakehashi_trace_spans{result="failed"}' in metrics


def test_content_is_in_the_trace_only_where_the_setting_says_so_and_is_masked(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as collector:
        options = {"otlp_endpoint": collector.url + "/v1/traces", "trace_content": True}
        with running_gateway(tmp_path, monkeypatch, upstream.url, **options) as gateway:
            ask(gateway, f"{NAME}です")
        [call] = [span for span in collector.spans if span.kind == "client"]  # closing sends what is queued
    sent, received = (call.attributes[f"gen_ai.{side}.messages"] for side in ("input", "output"))
    assert PLACEHOLDER in sent and PLACEHOLDER in received and NAME not in sent + received


def test_a_dead_collector_neither_fails_requests_nor_holds_up_the_end(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "CLOSE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(otlp, "QUEUE", 2)
    with collecting() as collector:
        collector.delay_s = 3.0
        with running_gateway(tmp_path, monkeypatch, upstream.url, otlp_endpoint=collector.url) as gateway:
            assert [ask(gateway).status_code for _ in range(6)] == [200] * 6
            tracer = gateway.services.tracer
        collector.delay_s = 0.0
    assert tracer and tracer.counts.sent == 0
    assert tracer.counts.dropped >= 14 and tracer.counts.dropped + tracer.counts.failed == 42


def test_without_an_endpoint_there_is_no_tracer_and_the_engine_is_told_nothing(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_gateway(tmp_path, monkeypatch, upstream.url) as gateway:
        ask(gateway, headers={"traceparent": CALLER})
        assert gateway.services.tracer is None
        assert "kakehashi_trace_spans{" not in httpx.get(gateway.root + "/metrics").text
    assert "traceparent" not in upstream.headers[-1]


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "ftp://collector", "http://user:pw@collector", "http://c/?key=1"]
)
def test_an_endpoint_that_cannot_work_is_refused_at_the_start(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="otlp_endpoint"):
        create_app(Settings.model_validate({"gateway": {"otlp_endpoint": endpoint}}))


def test_metrics_follow_the_conventions_with_bounded_labels(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    ask(gateway, "長い文章です" * 3)
    ask(gateway, "長い文章です" * 3, stream=True)
    upstream.mode = "error"
    ask(gateway)
    text = httpx.get(gateway.root + "/metrics").text
    what = 'gen_ai_operation_name="chat",gen_ai_provider_name="vllm",gen_ai_request_model="qwen-test"'
    for line in (
        f'gen_ai_client_operation_duration_seconds_count{{error_type="",{what}}}',
        f'gen_ai_client_operation_duration_seconds_count{{error_type="upstream_error",{what}}}',
        f'gen_ai_client_token_usage_bucket{{{what},gen_ai_token_type="input",le="64.0"}}',
        f'gen_ai_client_token_usage_count{{{what},gen_ai_token_type="output"}}',
        f"gen_ai_client_operation_time_to_first_chunk_seconds_count{{{what}}}",
        f'gen_ai_server_request_duration_seconds_count{{error_type="",{what}}}',
        f"gen_ai_server_time_to_first_token_seconds_count{{{what}}}",
        f"gen_ai_server_time_per_output_token_seconds_count{{{what}}}",
        "kakehashi_requests_in_flight 0.0",
    ):
        assert line in text


def test_estimated_tokens_are_left_out_of_the_conventions_count(
    upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.usage = False
    with running_gateway(tmp_path, monkeypatch, upstream.url) as gateway:
        ask(gateway)
        text = httpx.get(gateway.root + "/metrics").text
    assert "gen_ai_client_token_usage_count" not in text and 'kakehashi_tokens_total{kind="prompt"' in text


class TestJsonLogs:
    def test_each_line_is_an_object_with_the_requests_ids_and_without_keys(
        self, gateway: RunningGateway, collector: Collector
    ) -> None:
        written, key = io.StringIO(), gateway.key()
        handler = logging.StreamHandler(written)
        handler.setFormatter(logs.JsonFormatter())
        logger = logging.getLogger("gateway")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            answer = ask(gateway, key=key, headers={"traceparent": CALLER})
            logging.getLogger("gateway.test").warning("Somebody wrote %s here", key)
            collector.trace(whole)  # the line is written before the trace is sent
        finally:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)
        lines = [json.loads(line) for line in written.getvalue().splitlines()]
        [request] = [line for line in lines if line["logger"] == "gateway.request"]
        assert request["request_id"] == answer.headers["x-request-id"] and request["trace_id"] == CALLER[3:35]
        assert (request["method"], request["surface"], request["status"]) == ("POST", "chat", 200)
        assert request["ms"] > 0 and request["level"] == "INFO" and request["time"].endswith("+00:00")
        assert key not in written.getvalue() and "kk_[redacted]" in lines[-1]["message"]

    def test_a_traceback_is_one_field_of_one_line(self) -> None:
        try:
            raise ValueError("kk_" + "a" * 43)
        except ValueError as error:
            made = logging.LogRecord("x", logging.ERROR, "f", 1, "failed\nbadly", None, (ValueError, error, None))
        line = logs.JsonFormatter().format(made)
        assert "\n" not in line and "aaaa" not in line
        assert "ValueError: kk_[redacted]" in json.loads(line)["exception"]


class TestReady:
    def test_a_broken_audit_log_is_named_until_it_takes_records_again(self, gateway: RunningGateway) -> None:
        gateway.audit.broken = True
        assert ask(gateway).status_code == 503
        answer = httpx.get(gateway.root + "/readyz")
        assert answer.status_code == 503 and answer.json()["parts"]["audit"] != "ok"
        assert answer.json()["parts"]["upstream"] == "ok"
        gateway.audit.broken = False
        assert ask(gateway).status_code == 200
        assert httpx.get(gateway.root + "/readyz").status_code == 200

    def test_a_gateway_that_drains_is_alive_and_not_ready(self, gateway: RunningGateway) -> None:
        gateway.services.draining.set()
        try:
            answer = httpx.get(gateway.root + "/readyz")
            assert answer.status_code == 503 and answer.json()["parts"]["serving"] == "draining"
            assert httpx.get(gateway.root + "/livez").status_code == 200
        finally:
            gateway.services.draining.clear()


class TestLive:
    def live(self, gateway: RunningGateway, **key: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {gateway.key(**{'admin': True, **key})}"}
        return httpx.get(gateway.admin_url + "/admin/live", headers=headers)

    def test_a_stream_under_way_is_listed_without_its_content_and_gone_at_its_end(
        self, gateway: RunningGateway, upstream: FakeUpstream
    ) -> None:
        upstream.mode, upstream.pause_s = "slow", 0.1
        gateway.services.identity.create_team("経理")
        headers = {"x-kakehashi-user": "tanaka", "x-kakehashi-app": "minutes"}
        key = gateway.key(name="帳票", team="経理")
        said = threading.Event()

        def stream() -> None:
            body = {"model": "default", "messages": [{"role": "user", "content": "極秘" * 6}], "stream": True}
            sent = {"authorization": f"Bearer {key}", **headers}
            with httpx.stream("POST", gateway.url + "/chat/completions", json=body, headers=sent) as answer:
                for line in answer.iter_lines():
                    if "content" in line:
                        said.set()

        thread = threading.Thread(target=stream)
        thread.start()
        assert said.wait(10)
        answer = self.live(gateway)
        thread.join(20)
        [row] = answer.json()["data"]
        assert row["team"] == "経理" and row["key_name"] == "帳票" and row["user"] == "tanaka"
        assert row["model"] == "default" and row["surface"] == "chat" and row["stream"] is True
        assert row["state"] == "upstream" and row["upstream"] == "engine" and row["tokens"] >= 1
        assert row["ttft_seconds"] > 0 and row["since"].startswith("20")
        assert "極秘" not in answer.text and key not in answer.text
        assert self.live(gateway).json()["data"] == []

    def test_requests_that_failed_are_not_left_behind(self, gateway: RunningGateway, upstream: FakeUpstream) -> None:
        for mode in ("error", "cut_head", "cut_mid", "stall"):
            upstream.mode = mode
            ask(gateway, stream=mode == "cut_mid")
        ask(gateway, "攻撃")
        assert self.live(gateway).json()["data"] == []

    def test_needs_an_admin_key(self, gateway: RunningGateway) -> None:
        assert self.live(gateway, admin=False).status_code == 403
