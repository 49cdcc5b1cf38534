"""What of a request may reach the engine: every dangerous field is refused by name, nothing is dropped silently."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import params, schema_bounds
from gateway.api.content import check_input, check_messages, check_prompt
from gateway.api.exchange import Surface
from gateway.api.items import check_items
from gateway.api.messages import check_messages as check_blocks
from gateway.api.params import CHAT, COMPLETIONS, EMBEDDINGS, OURS, sift
from gateway.api.surfaces import SURFACES
from gateway.errors import BadRequest
from kakehashi.paths import CHECKOUT

SCHEMA = {"type": "object", "properties": {"ids": {"type": "array", "items": {"enum": ["s1"]}, "maxItems": 8}}}


def sift_chat(**fields: Any) -> params.Sifted:
    return sift({"model": "m", "messages": [], **fields}, CHAT)


HARMFUL: dict[str, Any] = {
    "n": 5,
    "top_logprobs": 6,
    "prompt_logprobs": 0,
    "logprob_token_ids": [1],
    "chat_template": "{{ x }}",
    "chat_template_kwargs": {"chat_template": "x"},
    "documents": [{"text": "x"}],
    "use_beam_search": True,
    "best_of": 2,
    "echo": True,
    "prompt_embeds": "AAAA",
    "vllm_xargs": {"a": 1},
    "kv_transfer_params": {"do_remote_decode": True},
    "ec_transfer_params": {},
    "mm_processor_kwargs": {"num_crops": 10**9},
    "media_io_kwargs": {"video": {}},
    "mm_payload": {},
    "return_token_ids": True,
    "return_prompt_text": True,
    "web_search_options": {},
    "stop": ["x"] * 17,
    "stop_token_ids": list(range(65)),
    "logit_bias": {str(i): 1 for i in range(1025)},
    "bad_words": ["x" * 257],
    "allowed_token_ids": list(range(4097)),
    "max_tokens": 0,
    "max_completion_tokens": 10**9,
    "temperature": "hot",
    "top_p": 2,
    "stream": "yes",
    "stream_options": {"include_usage": "yes"},
    "guided_regex": "a",
    "guided_grammar": 'root ::= "a"',
    "guided_choice": ["a"],
    "guided_json": {"type": "object"},
    "functions": [{"name": "f"}],
    "function_call": {"name": "f"},
    "watermarking": False,
    "stream_interval": 0,
    "repetition_detection": {"max_pattern_size": 10**9, "min_count": 2},
    "tool_choice": {str(i): i for i in range(9)},
    "thinking_token_budget": -1,
    "truncate_prompt_tokens": -2,
    "length_penalty": "x",
    "structured_outputs": {"structural_tag": "x"},
    "response_format": {"type": "structural_tag"},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "sting"}}}],
}


@pytest.mark.parametrize("name", sorted(HARMFUL))
def test_a_field_that_can_hurt_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        sift_chat(**{name: HARMFUL[name]})
    assert name in (caught.value.param or "")
    assert name in caught.value.message


HARMLESS: dict[str, Any] = {
    "n": 4,
    "top_logprobs": 5,
    "logprobs": True,
    "best_of": 1,
    "use_beam_search": False,
    "echo": False,
    "chat_template_kwargs": {"enable_thinking": False},
    "stop": "。",
    "temperature": 0,
    "seed": -1,
    "top_k": 40,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "stream_options": {"include_usage": True},
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}},
    "structured_outputs": {"regex": r"\d{4}-\d{2}", "disable_any_whitespace": True},
    "watermarking": True,
    "stream_interval": 4,
    "repetition_detection": {"max_pattern_size": 20, "min_count": 3},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
    "tool_choice": "auto",
    "user": "u",
    "reasoning_effort": "low",
}


@pytest.mark.parametrize("name", sorted(HARMLESS))
def test_a_field_that_cannot_hurt_passes_untouched(name: str) -> None:
    sifted = sift_chat(**{name: HARMLESS[name]})
    assert sifted.body[name] == HARMLESS[name]
    assert sifted.ignored == ()


def test_our_own_fields_and_unknown_ones_are_named_in_a_header() -> None:
    sifted = sift_chat(
        priority=-9,
        cache_salt="x",
        session_id="s",
        request_id="y",
        store=True,
        metadata={},
        prediction={},
        温度=1,
        **{"a\r\nb": 2},
    )
    assert set(sifted.ignored) == {*OURS, "温度", "a\r\nb"}
    assert not set(sifted.body) & OURS
    header = sifted.header["x-kakehashi-ignored-params"]
    assert "priority" in header and header.isascii() and header.isprintable()


VLLM = json.loads((CHECKOUT / "tests/data/gateway/vllm_fields.json").read_text())


@pytest.mark.parametrize("surface", SURFACES, ids=lambda s: s.name)
def test_every_field_of_the_engines_own_request_is_decided(surface: Surface) -> None:
    """Undecided fields are left out and named; that must be a decision (OURS), not an oversight."""
    assert [name for name in VLLM[surface.name] if name not in surface.allowed and name not in OURS] == []


@pytest.mark.parametrize("lock", ["engine-cpu.lock", "engine-gpu.lock"])
def test_the_fields_are_those_of_the_engine_we_install(lock: str) -> None:
    """After a new vLLM: ``.venv-engine/bin/python tools/make_vllm_fields.py > tests/data/gateway/vllm_fields.json``."""
    locked = (CHECKOUT / "requirements" / lock).read_text()
    assert re.findall(r"(?m)^vllm(?:-cpu)?==([\d.]+)", locked) == [VLLM["vllm"]]


def test_every_field_of_the_engines_structured_outputs_is_decided() -> None:
    for name in VLLM["structured_outputs"]:
        value: Any = {
            "json": SCHEMA,
            "regex": "a",
            "choice": ["a"],
            "grammar": 'root ::= "a"',
            "whitespace_pattern": " ",
        }
        given = {name: value.get(name, True)}
        if name == "structural_tag":
            with pytest.raises(BadRequest, match="structural_tag"):
                schema_bounds.check_structured_outputs(given)
        else:
            schema_bounds.check_structured_outputs(given)
    with pytest.raises(BadRequest, match=r"structured_outputs\._backend"):
        schema_bounds.check_structured_outputs({"_backend": "x"})


def test_null_is_as_good_as_not_given() -> None:
    sifted = sift_chat(prompt_logprobs=None, n=None, chat_template=None, priority=None)
    assert sifted.body == {"model": "m", "messages": []}
    assert sifted.header == {}


@pytest.mark.parametrize("body", [{}, {"model": None}, {"model": 5}, {"model": ["m"]}])
def test_a_model_must_be_named(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="model") as caught:
        sift(body, CHAT)
    assert caught.value.code == "missing_model"


def test_true_is_not_a_number() -> None:
    for name in ("n", "temperature", "max_tokens"):
        with pytest.raises(BadRequest):
            sift_chat(**{name: True})


def test_each_surface_has_its_own_list() -> None:
    assert sift({"model": "m", "prompt": "x", "logprobs": 5}, COMPLETIONS).ignored == ()
    with pytest.raises(BadRequest, match="logprobs"):
        sift({"model": "m", "prompt": "x", "logprobs": 6}, COMPLETIONS)
    assert sift({"model": "m", "input": "x", "temperature": 1}, EMBEDDINGS).ignored == ("temperature",)


@given(st.dictionaries(st.sampled_from(sorted(CHAT)), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=6,
)))  # fmt: skip
def test_no_json_at_all_makes_the_check_itself_fail(fields: dict[str, Any]) -> None:
    try:
        sift({**fields, "model": "m"}, CHAT)
    except BadRequest as error:
        assert error.param


class TestSchemas:
    def nested(self, depth: int) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string"}
        for _ in range(depth):
            schema = {"type": "object", "properties": {"a": schema}}
        return schema

    def test_an_ordinary_schema_passes(self) -> None:
        schema_bounds.check_schema(self.nested(20), "s")
        schema_bounds.check_schema(
            {"properties": {"pattern": {"type": "string"}, "type": {"enum": ["x", {"type": 1}]}}}, "s"
        )
        schema_bounds.check_schema({"type": ["string", "null"], "pattern": r"^[(]\d{3}\)$"}, "s")

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "sting"},
            {"type": 5},
            {"pattern": 5},
            {"pattern": "("},
            {"pattern": "[a"},
            {"patternProperties": {"(": {}}},
            {"maxItems": 10**9},
            {"maxLength": 1.5},
            {"minItems": -1},
            {"items": {"anyOf": [{"minLength": 10**9}]}},
            {"pattern": "x" * 2000},
            {"pattern": "a{2000}"},
            "string",
            None,
        ],
    )
    def test_what_would_hurt_the_engine_is_refused(self, schema: Any) -> None:
        with pytest.raises(BadRequest) as caught:
            schema_bounds.check_schema(schema, "s")
        assert (caught.value.param or "").startswith("s")

    def test_depth_and_size_are_bounded(self) -> None:
        with pytest.raises(BadRequest, match="deep"):
            schema_bounds.check_schema(self.nested(40), "s")
        with pytest.raises(BadRequest, match="large"):
            schema_bounds.check_schema({"enum": list(range(30_000))}, "s")


class TestMessages:
    @pytest.mark.parametrize(
        ("messages", "where"),
        [
            (None, "messages"),
            ([], "messages"),
            ("hello", "messages"),
            (["hello"], "messages[0]"),
            ([{"content": "x"}], "messages[0].role"),
            ([{"role": "boss", "content": "x"}], "messages[0].role"),
            ([{"role": "user"}], "messages[0].content"),
            ([{"role": "user", "content": 5}], "messages[0].content"),
            ([{"role": "user", "content": ["x"]}], "messages[0].content[0].type"),
            ([{"role": "user", "content": [{"image_url": "http://x/"}]}], "messages[0].content[0].type"),
            ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
            ([{"role": "user", "content": [{"type": "video_url", "video_url": "data:video/mp4;base64,AA"}]}],
             "messages[0].content[0].type"),
            ([{"role": "user", "content": [{"type": "text", "text": "x", "image_url": "http://x/"}]}],
             "messages[0].content[0]"),
            ([{"role": "user"}] * 5000, "messages"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_refused_with_its_place(self, messages: Any, where: str) -> None:
        with pytest.raises(BadRequest) as caught:
            check_messages(messages)
        assert caught.value.param == where

    @pytest.mark.parametrize(
        "url", ["http://169.254.169.254/", "file:///etc/passwd", "HTTPS://x/a.png", "ftp://x", 5, None]
    )
    def test_the_engine_fetches_nothing_for_a_client(self, url: Any) -> None:
        for image in (url, {"url": url}):
            with pytest.raises(BadRequest) as caught:
                check_messages([{"role": "user", "content": [{"type": "image_url", "image_url": image}]}])
            assert caught.value.code == "remote_media_refused"

    def test_another_clients_media_cannot_be_named(self) -> None:
        """vLLM keeps decoded media under the ``uuid`` a client gives them, for everybody."""
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
        check_messages([{"role": "user", "content": [picture]}])
        with pytest.raises(BadRequest, match="uuid"):
            check_messages([{"role": "user", "content": [{**picture, "uuid": "theirs"}]}])

    def test_media_are_counted_wherever_they_lie(self) -> None:
        data = "data:image/png;base64,AA=="
        pictures = [{"type": "image_url", "image_url": {"url": data}}] * 33
        with pytest.raises(BadRequest, match="32"):
            check_messages([{"role": "user", "content": [picture]} for picture in pictures])
        with pytest.raises(BadRequest, match="32"):
            check_items([{"role": "user", "content": [{"type": "input_image", "image_url": data}] * 33}])
        block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
        result = {"type": "tool_result", "tool_use_id": "t", "content": [block] * 33}
        with pytest.raises(BadRequest, match="32"):
            check_blocks({"messages": [{"role": "user", "content": [result]}]})

    def test_sound_messages_pass(self) -> None:
        check_messages(
            [
                {"role": "system", "content": "あなたは助手です。"},
                {"role": "user", "content": [{"type": "text", "text": "絵"}, {"type": "image_url", "image_url": {
                    "url": "data:image/png;base64,AA=="}}]},
                {"role": "assistant", "content": None, "tool_calls": []},
                {"role": "tool", "tool_call_id": "1", "content": "晴れ"},
            ]
        )  # fmt: skip


@pytest.mark.parametrize("value", [None, [], 5, [1, 2], [[1, 2]], ["x", 1], ["x"] * 3000])
def test_prompts_and_inputs_must_be_texts_the_guardrails_can_read(value: Any) -> None:
    for check in (check_prompt, check_input):
        with pytest.raises(BadRequest):
            check(value)
    check_prompt(["a", "b"])
    check_input("日本語")


def test_every_surface_is_told_of_in_the_developers_page() -> None:
    page = (CHECKOUT / "docs" / "developers.md").read_text()
    assert [s.path for s in SURFACES if f"/v1{s.path}`" not in page] == []


@pytest.mark.parametrize("surface", SURFACES, ids=lambda s: s.name)
def test_no_surface_lets_engine_internals_or_anothers_cache_through(surface: Surface) -> None:
    for name in ("vllm_xargs", "kv_transfer_params", "mm_processor_kwargs", "chat_template", "prompt_embeds"):
        if name in surface.allowed:
            with pytest.raises(BadRequest):
                sift({"model": "m", name: {"a": 1}}, surface.allowed)
    assert not {"cache_salt", "priority", "request_id", "session_id", "metadata"} & surface.allowed.keys()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["user", "text", "tool_use", "message"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "text", "input", "tools", "name", "format", "schema", "summary", "source"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("surface", SURFACES, ids=lambda s: s.name)
@given(value=JSON, data=st.data())
def test_any_json_passes_or_is_refused_by_name(surface: Surface, value: Any, data: st.DataObject) -> None:
    names = st.sampled_from(sorted(surface.allowed))
    body = {"model": "m", data.draw(names): value, data.draw(names): data.draw(JSON)}
    try:
        surface.check(sift({**body, "model": "m"}, surface.allowed).body)
    except BadRequest as error:
        assert error.message and error.param is not None
