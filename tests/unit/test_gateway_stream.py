"""What a client sees of a stream: guarded text, usage for those who asked, the truth about how it ended."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.chat_stream import ChatRelay
from gateway.api.usage import Usage
from gateway.errors import ApiError, BadGateway
from tests.helpers.fakes import NAME, PLACEHOLDER, FakeGuard

HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def chunk(delta: Any = None, *, index: int = 0, finish: str | None = None, **extra: Any) -> bytes:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return frame({**HEAD, "choices": [{**choice, **extra}]})


def frame(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def usage_chunk(prompt: int = 3, completion: int = 4) -> bytes:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return frame({**HEAD, "choices": [], "usage": usage})


DONE = b"data: [DONE]\n\n"


def chunks(sent: bytes) -> list[Any]:
    return [json.loads(part[6:]) for part in sent.split(b"\n\n") if part and part != b"data: [DONE]"]


def text_of(sent: bytes, index: int = 0, field: str = "content") -> str:
    return "".join(
        choice["delta"].get(field) or "" for c in chunks(sent) for choice in c["choices"] if choice["index"] == index
    )


def relayed(*parts: bytes, **options: bool) -> tuple[ChatRelay, bytes]:
    relay = ChatRelay(FakeGuard(), **options)
    sent = b"".join(relay.feed(part) for part in parts)
    relay.check_complete()
    return relay, sent + relay.ending()


def test_unchanged_frames_pass_as_the_bytes_they_came_in() -> None:
    parts = [chunk({"role": "assistant", "content": ""}), chunk({"content": "はい"}), chunk(finish="stop"), DONE]
    assert relayed(*parts)[1] == b"".join(parts)


@given(
    st.lists(st.sampled_from([PLACEHOLDER, "[[PER", "様、", "😀", "abc", "]]", "["]), max_size=8),
    st.integers(1, 7),
    st.data(),
)
def test_masked_names_come_back_wherever_chunks_and_bytes_are_cut(words: list[str], size: int, data: Any) -> None:
    text = "".join(words)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    stream = b"".join(chunk({"content": piece}) for piece in pieces) + chunk(finish="stop") + DONE
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    relay, sent = relayed(*parts)
    assert text_of(sent) == text.replace(PLACEHOLDER, NAME)
    assert sent.endswith(DONE)
    assert json.loads(relay.received())["choices"][0]["message"].get("content", "") == text  # audit: still masked


def test_text_held_back_leaves_with_the_last_chunk_of_its_choice() -> None:
    _, sent = relayed(chunk({"content": "終わり[["}), chunk(finish="length"), DONE)
    assert [c["choices"][0]["finish_reason"] for c in chunks(sent)] == [None, "length"]
    assert text_of(sent) == "終わり[["


def test_a_chunk_that_is_wholly_held_back_is_not_sent() -> None:
    relay = ChatRelay(FakeGuard())
    assert relay.feed(chunk({"content": "[["})) == b""


def test_a_forbidden_word_ends_the_choice_before_any_of_it_is_sent() -> None:
    relay = ChatRelay(FakeGuard())
    sent = relay.feed(chunk({"content": "これは禁"})) + relay.feed(chunk({"content": "句です"}))
    sent += relay.feed(chunk({"content": "続き"}))
    assert text_of(sent) == "これは"
    assert chunks(sent)[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert (relay.blocked, relay.finished, relay.finish_reason) == (True, True, "content_filter")


def test_one_blocked_choice_does_not_silence_the_others() -> None:
    relay, sent = relayed(
        chunk({"content": "禁句"}), chunk({"content": "良い"}, index=1), chunk({"content": "答え"}, index=1),
        chunk(finish="stop", index=1), DONE,
    )  # fmt: skip
    assert (text_of(sent, 0), text_of(sent, 1), relay.blocked) == ("", "良い答え", False)


def test_unknown_text_fields_pass_and_are_guarded() -> None:
    _, sent = relayed(
        chunk({"reasoning": "考える" + PLACEHOLDER[:4]}), chunk({"reasoning": PLACEHOLDER[4:]}),
        chunk({"content": "答え"}), chunk({"thoughts": PLACEHOLDER}), chunk(finish="stop"), DONE,
    )  # fmt: skip
    assert text_of(sent, field="reasoning") == "考える" + NAME
    assert text_of(sent, field="thoughts") == NAME


def test_reasoning_that_is_held_back_leaves_before_the_answer_begins() -> None:
    _, sent = relayed(chunk({"reasoning": "考え[["}), chunk({"content": "答え"}), chunk(finish="stop"), DONE)
    first_answer = next(c for c in chunks(sent) if c["choices"][0]["delta"].get("content"))
    assert first_answer["choices"][0]["delta"]["reasoning"] == "[["


def test_parallel_tool_calls_keep_index_id_and_name() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        head = {"id": f"call_{index}", "type": "function"} if "name" in function else {}
        return {"tool_calls": [{"index": index, **head, "function": function}]}

    parts = [
        chunk(call(0, name="a", arguments="")), chunk(call(1, name="b", arguments="")),
        chunk(call(0, arguments='{"who":"[[PER')), chunk(call(1, arguments='{"x":1}')),
        chunk(call(0, arguments='SON_1]]"}')), chunk(finish="tool_calls"), DONE,
    ]  # fmt: skip
    _, sent = relayed(*parts)
    gathered: dict[int, dict[str, str]] = {}
    for part in chunks(sent):
        for item in part["choices"][0]["delta"].get("tool_calls", []):
            into = gathered.setdefault(item["index"], {"id": "", "name": "", "arguments": ""})
            into["id"] += item.get("id", "")
            into["name"] += item["function"].get("name", "")
            into["arguments"] += item["function"].get("arguments", "")
    assert gathered == {
        0: {"id": "call_0", "name": "a", "arguments": f'{{"who":"{NAME}"}}'},
        1: {"id": "call_1", "name": "b", "arguments": '{"x":1}'},
    }


def test_logprobs_of_changed_text_are_taken_out() -> None:
    logprobs = {"content": [{"token": "[[PERSON_1]]", "logprob": -0.1}]}
    _, sent = relayed(chunk({"content": PLACEHOLDER}, logprobs=logprobs), chunk(finish="stop"), DONE)
    assert chunks(sent)[0]["choices"][0]["logprobs"] is None


def test_completions_are_guarded_too() -> None:
    def part(text: str, finish: str | None = None) -> bytes:
        return frame({**HEAD, "choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": None}]})

    _, sent = relayed(part("私は[[PERSON"), part("_1]]です[["), part("", "stop"), DONE)
    assert "".join(choice["text"] for c in chunks(sent) for choice in c["choices"]) == f"私は{NAME}です[["


class TestUsage:
    def test_is_shown_once_at_the_end_to_those_who_asked(self) -> None:
        relay, sent = relayed(chunk({"content": "x"}), chunk(finish="stop"), usage_chunk(), DONE, wants_usage=True)
        assert [c["usage"] and c["usage"]["total_tokens"] for c in chunks(sent)] == [None, None, 7]
        assert chunks(sent)[-1]["choices"] == []
        assert relay.usage(0) == Usage(3, 4)

    def test_is_not_shown_to_others(self) -> None:
        relay, sent = relayed(chunk({"content": "x"}), chunk(finish="stop"), usage_chunk(), DONE)
        assert all("usage" not in c for c in chunks(sent))
        assert relay.usage(0) == Usage(3, 4)

    def test_is_taken_from_whatever_chunk_it_comes_on(self) -> None:
        last = frame({**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                      "usage": {"prompt_tokens": 1, "completion_tokens": 2}})  # fmt: skip
        relay, sent = relayed(chunk({"content": "x"}), last, DONE, wants_usage=True)
        assert [c["usage"] for c in chunks(sent)][:2] == [None, None]
        assert chunks(sent)[-1]["usage"] == {"prompt_tokens": 1, "completion_tokens": 2}
        assert relay.usage(9) == Usage(1, 2)

    def test_of_zero_is_zero(self) -> None:
        relay, _ = relayed(chunk({"content": "x"}), chunk(finish="stop"), usage_chunk(0, 0), DONE)
        assert relay.usage(50) == Usage(0, 0)

    def test_is_an_estimate_when_upstream_gives_none(self) -> None:
        relay, sent = relayed(chunk({"content": "a"}), chunk({"content": "b"}), chunk(finish="stop"), wants_usage=True)
        assert relay.usage(50) == Usage(50, 2, exact=False)
        assert [c.get("usage") for c in chunks(sent)] == [None, None, None]  # nothing is invented for the client

    def test_of_every_chunk_passes_to_those_who_asked_for_it(self) -> None:
        part = frame({**HEAD, "choices": [{"index": 0, "delta": {"content": "x"}}], "usage": {"prompt_tokens": 3}})
        relay = ChatRelay(FakeGuard(), wants_usage=True, continuous=True)
        assert relay.feed(part) == part


class TestEnd:
    def test_without_done_is_whole_when_every_choice_has_finished(self) -> None:
        assert relayed(chunk({"content": "x"}), chunk(finish="stop"))[1].endswith(DONE)

    @pytest.mark.parametrize("parts", [[], [b": ping\n\n"], [chunk({"content": "x"})], [b"data: {"]])
    def test_before_its_time_is_an_error(self, parts: list[bytes]) -> None:
        with pytest.raises(BadGateway, match="broke off"):
            relayed(*parts)

    @pytest.mark.parametrize("bad", [b"data: {\n\n", b"data: 5\n\n", b"data: \xff\n\n"])
    def test_a_broken_chunk_is_an_error(self, bad: bytes) -> None:
        with pytest.raises(BadGateway, match="broken chunk"):
            relayed(bad)

    def test_upstreams_own_error_keeps_its_message_and_status(self) -> None:
        with pytest.raises(ApiError, match="too many") as caught:
            relayed(frame({"error": {"message": "too many", "code": 429}}))
        assert caught.value.status == 429

    def test_nothing_after_done_is_passed_on(self) -> None:
        assert relayed(chunk(finish="stop"), DONE + chunk({"content": "more"}))[1].count(b"data:") == 2

    def test_an_error_frame_has_openais_shape(self) -> None:
        told = json.loads(ChatRelay(FakeGuard()).broken(BadGateway("gone", code="x"))[6:])
        assert told == {"error": {"message": "gone", "type": "server_error", "param": None, "code": "x"}}


LETTERS = st.text(
    alphabet=st.one_of(
        st.characters(codec="utf-8"), st.sampled_from('か\u3099👨\u200d👩🇯🇵\u0301\u2028\u2029\ufeff\r\n\\"\x00𠮷﨑ẞ')
    ),
    max_size=30,
)


@given(LETTERS, st.booleans(), st.integers(1, 5), st.booleans(), st.data())
def test_no_letter_becomes_another_wherever_it_is_cut(
    text: str, escaped: bool, size: int, chat: bool, data: st.DataObject
) -> None:
    """Pieces cut between any two code points, and the bytes of the stream anywhere, inside a character too."""
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    choices = [{"delta": {"content": part}} if chat else {"text": part} for part in parts]
    ended = {"delta": {}} if chat else {"text": ""}
    events = [{"index": 0, "finish_reason": None, **choice} for choice in choices]
    events.append({"index": 0, "finish_reason": "stop", **ended})
    lines = [json.dumps({**HEAD, "choices": [event]}, ensure_ascii=escaped) for event in events]
    raw = "".join(f"data: {line}\n\n" for line in lines).encode() + DONE
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8))), len(raw)]
    relay, sent = relayed(*(raw[a:b] for a, b in pairwise(cuts)))
    told = [choice for event in chunks(sent) for choice in event["choices"]]
    assert "".join(choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in told) == text
    message = json.loads(relay.received())["choices"][0]["message"]
    assert message.get("content" if chat else "text", "") == text
