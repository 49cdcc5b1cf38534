"""The official openai SDK notices nothing but a base URL: sync, async, streams, structured output, tools, errors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import openai
import pytest
from pydantic import BaseModel

from tests.helpers.fake_upstream import FakeUpstream, tool_calls
from tests.helpers.running_gateway import RunningGateway, running_gateway

ASK = "山田太郎さんの予定を😀教えてください。"
MESSAGES = [{"role": "user", "content": ASK}]


@pytest.fixture(scope="module")
def gateway(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, engine.url, first_byte_timeout_s=5) as server,
    ):
        yield server


@pytest.fixture
def client(gateway: RunningGateway, upstream: FakeUpstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0) as sdk:
        yield sdk


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["qwen-test", "default"]
    assert client.models.retrieve("default").id == "default"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")


def test_a_chat_and_its_request_id(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="default", messages=MESSAGES)  # type: ignore[call-overload]
    assert answer.choices[0].message.content == ASK
    assert answer.usage and answer.usage.prompt_tokens == 7
    assert answer._request_id.startswith("req_")


def test_a_stream_with_usage(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="default", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )  # type: ignore[call-overload]
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ASK
    assert chunks[-1].usage.prompt_tokens == 7


def test_the_streaming_helper(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="default", messages=MESSAGES) as stream:  # type: ignore[arg-type]
        final = stream.get_final_completion()
    assert final.choices[0].message.content == ASK


async def test_async_and_async_streams(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    async with openai.AsyncOpenAI(base_url=gateway.url, api_key=gateway.key()) as client:
        answer = await client.chat.completions.create(model="default", messages=MESSAGES)  # type: ignore[call-overload]
        assert answer.choices[0].message.content == ASK
        stream = await client.chat.completions.create(model="default", messages=MESSAGES, stream=True)  # type: ignore[call-overload]
        assert "".join([c.choices[0].delta.content or "" async for c in stream]) == ASK


class Plan(BaseModel):
    who: str
    days: list[int]


def test_structured_output(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    upstream.answer = '{"who": "[[PERSON_1]]", "days": [1, 2]}'
    answer = client.chat.completions.parse(model="default", messages=MESSAGES, response_format=Plan)  # type: ignore[arg-type]
    assert answer.choices[0].message.parsed == Plan(who="山田太郎", days=[1, 2])
    assert upstream.requests[0]["response_format"]["json_schema"]["schema"]["required"] == ["who", "days"]


def test_tools_plain_and_streamed(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    upstream.mode = "tools"
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
    answer = client.chat.completions.create(model="default", messages=MESSAGES, tools=tools)  # type: ignore[call-overload]
    assert [call.function.arguments for call in answer.choices[0].message.tool_calls] == [
        call["function"]["arguments"] for call in tool_calls()
    ]
    with client.chat.completions.stream(model="default", messages=MESSAGES, tools=tools) as stream:  # type: ignore[arg-type]
        message = stream.get_final_completion().choices[0].message
    assert [json.loads(call.function.arguments) for call in message.tool_calls or []] == [
        {"city": "東京"},
        {"city": "大阪"},
    ]


def test_completions_and_embeddings(client: openai.OpenAI) -> None:
    assert client.completions.create(model="default", prompt=ASK).choices[0].text == ASK
    vectors = client.embeddings.create(model="default", input=["a"], encoding_format="float")
    assert vectors.data[0].embedding == [0.1, 0.2]


def test_errors_by_class(client: openai.OpenAI, gateway: RunningGateway, upstream: FakeUpstream) -> None:
    def ask(sdk: openai.OpenAI = client, **more: object) -> None:
        sdk.chat.completions.create(**{"model": "default", "messages": MESSAGES, **more})  # type: ignore[call-overload]

    with pytest.raises(openai.AuthenticationError) as caught:
        ask(client.with_options(api_key="kk_wrong"))
    assert caught.value.code == "invalid_api_key" and caught.value.request_id
    with pytest.raises(openai.PermissionDeniedError):
        ask(client.with_options(api_key=gateway.key(models=("other",))))
    with pytest.raises(openai.NotFoundError):
        ask(model="gpt-4")
    with pytest.raises(openai.BadRequestError) as refused:
        ask(n=99)
    assert refused.value.param == "n"
    with pytest.raises(openai.BadRequestError) as blocked:
        ask(messages=[{"role": "user", "content": "攻撃"}])
    assert (blocked.value.code, blocked.value.type) == ("content_blocked", "guardrail_violation")
    limited = client.with_options(api_key=gateway.key(tpm=5))
    with pytest.raises(openai.RateLimitError):
        ask(limited, max_tokens=100)
    upstream.mode, upstream.status = "error", 500
    with pytest.raises(openai.InternalServerError) as failed:
        ask()
    assert failed.value.status_code == 502


def test_a_stream_that_breaks_off_raises(client: openai.OpenAI, upstream: FakeUpstream) -> None:
    upstream.mode = "cut_mid"
    stream = client.chat.completions.create(model="default", messages=MESSAGES, stream=True)  # type: ignore[call-overload]
    with pytest.raises(openai.APIError, match="broke off"):
        list(stream)


def test_the_sdks_own_retries_end_in_an_answer(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    upstream.mode, upstream.status, upstream.error_headers = "error", 503, {"retry-after": "0"}
    with (
        openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=1) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(model="default", messages=MESSAGES)  # type: ignore[call-overload]
    assert len(upstream.requests) == 2


BY_STATUS = {
    400: openai.BadRequestError, 404: openai.NotFoundError, 409: openai.ConflictError, 415: openai.APIStatusError,
    422: openai.UnprocessableEntityError, 429: openai.RateLimitError,
}  # fmt: skip
OURS_FOR_THEIRS = {401: 502, 403: 502, 500: 502, 502: 502, 503: 503, 504: 504}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("status", [*BY_STATUS, *OURS_FOR_THEIRS])
def test_every_status_of_the_engine_has_its_class(
    client: openai.OpenAI, upstream: FakeUpstream, status: int, stream: bool
) -> None:
    """A 4xx keeps its status; the engine's 401 and 403 are about the gateway's own key, and its 500 is a bad gateway."""
    upstream.mode, upstream.status = "error", status
    told = OURS_FOR_THEIRS.get(status, status)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="default", messages=MESSAGES, stream=stream)  # type: ignore[call-overload]
    assert caught.value.status_code == told and caught.value.request_id
    assert isinstance(caught.value, BY_STATUS.get(status, openai.InternalServerError))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_the_sdks_own_timeout_stops_the_engine(gateway: RunningGateway, upstream: FakeUpstream, stream: bool) -> None:
    upstream.mode = "silent_mid" if stream else "stall"
    with (
        openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0, timeout=0.3) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        answer = client.chat.completions.create(model="default", messages=MESSAGES, stream=stream)  # type: ignore[call-overload]
        list(answer)
    deadline = time.monotonic() + 10
    while upstream.cancelled < 1:
        assert time.monotonic() < deadline, "the engine was not told"
        time.sleep(0.02)


def test_a_busy_engines_wish_to_be_asked_later_is_passed_on(gateway: RunningGateway, upstream: FakeUpstream) -> None:
    upstream.mode, upstream.error_headers = "error", {"retry-after": "7"}
    with openai.OpenAI(base_url=gateway.url, api_key=gateway.key(), max_retries=0) as client:
        for status in (429, 503):
            upstream.status = status
            with pytest.raises(openai.APIStatusError) as caught:
                client.chat.completions.create(model="default", messages=MESSAGES)  # type: ignore[call-overload]
            assert caught.value.response.headers["retry-after"] == "7"
