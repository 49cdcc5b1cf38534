"""What of a request body goes to the engine. vLLM trusts its callers; we do not.

Three answers to every field: it passes (with bounds where a value can hurt), it is refused by name with 400, or it is
left out and named in the header ``x-kakehashi-ignored-params``. Nothing is dropped silently (litellm#10791).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gateway.api.schema_bounds import (
    check_flat_tools,
    check_messages_tools,
    check_output_config,
    check_response_format,
    check_structured_outputs,
    check_text_options,
    check_tools,
)
from gateway.errors import BadRequest

Check = Callable[[Any, str], None]

MAX_CHOICES = 4  # n: vLLM allows 16,384 sequences a request by default (PR#37952)
MAX_LOGPROBS = 5
MAX_TOKENS = 1_000_000
MAX_PATTERN = 256


def untouched(value: Any, where: str) -> None:
    """Passes whatever it is: the engine judges it, and it cannot hurt."""


def integer(low: int, high: int) -> Check:
    def check(value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise BadRequest(f"'{where}' must be a whole number from {low} to {high}.", param=where)

    return check


def number(low: float, high: float) -> Check:
    def check(value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise BadRequest(f"'{where}' must be a number from {low:g} to {high:g}.", param=where)

    return check


def boolean(value: Any, where: str) -> None:
    if not isinstance(value, bool):
        raise BadRequest(f"'{where}' must be true or false.", param=where)


def text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise BadRequest(f"'{where}' must be a text.", param=where)


def texts(most: int, longest: int) -> Check:
    def check(value: Any, where: str) -> None:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or len(listed) > most or not all(isinstance(item, str) for item in listed):
            raise BadRequest(f"'{where}' must be at most {most} texts.", param=where)
        if any(len(item) > longest for item in listed):
            raise BadRequest(f"A text of '{where}' is longer than {longest} characters.", param=where)

    return check


def token_ids(most: int) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or len(value) > most or not all(type(item) is int for item in value):
            raise BadRequest(f"'{where}' must be at most {most} token ids.", param=where)

    return check


def one_of(*allowed: str) -> Check:
    def check(value: Any, where: str) -> None:
        if value not in allowed:
            raise BadRequest(f"'{where}' must be one of {', '.join(allowed)}.", param=where)

    return check


def each_of(*allowed: str) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or not all(item in allowed for item in value):
            raise BadRequest(f"'{where}' must be a list of {', '.join(allowed)}.", param=where)

    return check


def mapping(most: int) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict) or len(value) > most:
            raise BadRequest(f"'{where}' must be an object of at most {most} entries.", param=where)

    return check


def refused(reason: str, *, harmless: tuple[Any, ...] = ()) -> Check:
    """Refuse a field, except where its value asks for nothing (``harmless``)."""

    def check(value: Any, where: str) -> None:
        if not any(type(value) is type(other) and value == other for other in harmless):
            message = f"'{where}' is not accepted by this gateway: {reason}"
            raise BadRequest(message, code="unsupported_parameter", param=where)

    return check


def template_options(value: Any, where: str) -> None:
    """Only the switch of thinking. CVE-2025-62426: other values block vLLM's loop, or replace the template itself."""
    if not isinstance(value, dict):
        raise BadRequest(f"'{where}' must be an object.", param=where)
    for name, option in value.items():
        if name not in ("enable_thinking", "thinking"):
            raise BadRequest(
                f"'{where}.{name[:40]}' is not accepted by this gateway.", code="unsupported_parameter", param=where
            )
        boolean(option, f"{where}.{name}")


def stream_options(value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise BadRequest(f"'{where}' must be an object.", param=where)
    for name in ("include_usage", "continuous_usage_stats"):
        if value.get(name) is not None:
            boolean(value[name], f"{where}.{name}")


def repetition(value: Any, where: str) -> None:
    """vLLM looks for every size of pattern after every token, in the scheduler that serves everybody."""
    if not isinstance(value, dict):
        raise BadRequest(f"'{where}' must be an object.", param=where)
    for name in ("max_pattern_size", "min_pattern_size", "min_count"):
        if value.get(name) is not None:
            integer(0, MAX_PATTERN)(value[name], f"{where}.{name}")


def choice_of_tool(value: Any, where: str) -> None:
    """A word (auto, none, required) or the name of a tool."""
    if not (isinstance(value, str) and len(value) <= 64):
        mapping(8)(value, where)


class LeaveOut(Exception):
    """A field whose value is not forwarded; it is named in the answer's header like an unknown one."""


def includable(value: Any, where: str) -> None:
    """Only probabilities of the answer. Agents ask for encrypted reasoning out of habit; the rest needs hosted tools, and
    neither could be read by the guardrails."""
    if not isinstance(value, list):
        raise BadRequest(f"'{where}' must be a list.", param=where)
    if any(item != "message.output_text.logprobs" for item in value):
        raise LeaveOut


# Set by the gateway, so a client's own value is left out and named in the answer's header.
OURS = frozenset(
    {
        "priority",  # decides who waits: comes with the key; non-zero fails unless the scheduler knows priorities
        "request_id",  # goes into the engine as it is: another client's id must not be imitable
        "session_id",  # the same: requests of one session are related in the engine, whoever sends them
        "cache_salt",  # separates the prefix caches of teams (CVE-2025-46570); nobody may choose a neighbour's
        "prediction",  # a text that goes upstream without being read by the guardrails
        "metadata",  # the same; put the job into x-kakehashi-job instead
        "store",  # would keep the conversation upstream, outside the audit log's retention
    }
)

_REFUSED: Mapping[str, Check] = {
    "use_beam_search": refused("it multiplies the work of one request.", harmless=(False,)),
    "best_of": refused("it multiplies the work of one request.", harmless=(1,)),
    "echo": refused("the prompt would come back unchecked.", harmless=(False,)),
    # 0 is not nothing: vLLM then returns the prompt's own tokens, and gives up its prefix cache.
    "prompt_logprobs": refused("it computes and returns the whole prompt's probabilities."),
    "logprob_token_ids": refused("it returns probabilities without bound."),
    "prompt_embeds": refused("the guardrails cannot read embeddings; and they are unpickled (CVE-2025-62164)."),
    "return_prompt_text": refused("the prompt would come back unchecked.", harmless=(False,)),
    "return_token_ids": refused("token ids would bypass the guardrails on the answer.", harmless=(False,)),
    "return_tokens_as_token_ids": refused("token ids would bypass the guardrails on the answer.", harmless=(False,)),
    "return_token_offsets": refused("it describes the answer before the guardrails.", harmless=(False,)),
    "vllm_xargs": refused("it reaches engine internals."),
    "kv_transfer_params": refused("it moves caches between engines and is not for clients."),
    "ec_transfer_params": refused("it moves caches between engines and is not for clients."),
    "routed_experts_prompt_start": refused("it reaches engine internals.", harmless=(0,)),
    "mm_processor_kwargs": refused("it changes how media are decoded (CVE-2026-5497)."),
    "media_io_kwargs": refused("it changes how media are decoded (CVE-2026-5497)."),
    "chat_template": refused("a client's template runs code-like text in the engine (CVE-2025-62426, CVE-2025-61620)."),
    "watermarking": refused("the house decides whether answers carry a watermark.", harmless=(True,)),
    "mm_payload": refused("it hands the engine decoded media."),
    "return_mm_kwargs": refused("it returns engine internals.", harmless=(False,)),
}

# Fields that today's engine would take and silently not heed: the answer would not be what was asked for.
_GONE = {
    **{
        f"guided_{kind}": f"use 'structured_outputs.{kind}'."
        for kind in ("json", "regex", "choice", "grammar", "whitespace_pattern")
    },
    "guided_decoding_backend": "the engine has one.",
    "structural_tag": "it is not served here; use 'response_format'.",
}

_COMMON: Mapping[str, Check] = {
    "model": untouched,  # resolved by the router
    "stream": boolean,
    "stream_options": stream_options,
    "n": integer(1, MAX_CHOICES),
    "max_tokens": integer(1, MAX_TOKENS),
    "min_tokens": integer(0, MAX_TOKENS),
    "temperature": number(0, 10),
    "top_p": number(0, 1),
    "top_k": integer(-1, 1_000_000),
    "min_p": number(0, 1),
    "seed": untouched,
    "frequency_penalty": number(-2, 2),
    "presence_penalty": number(-2, 2),
    "repetition_penalty": number(0, 10),
    "length_penalty": number(-100, 100),
    "repetition_detection": repetition,
    "logit_bias": mapping(1_024),  # applied in every step of the answer
    "stop": texts(16, 256),  # each is searched for in every step of the answer
    "stop_token_ids": token_ids(64),
    "include_stop_str_in_output": boolean,
    "ignore_eos": boolean,
    "skip_special_tokens": boolean,
    "spaces_between_special_tokens": boolean,
    "add_special_tokens": boolean,
    "truncate_prompt_tokens": integer(-1, MAX_TOKENS),
    "truncation_side": untouched,
    "allowed_token_ids": token_ids(4_096),  # as the next: a mask over the vocabulary, made in every step
    "bad_words": texts(64, 256),
    "thinking_token_budget": integer(0, MAX_TOKENS),
    "stream_interval": integer(1, 256),  # tokens a chunk: the guardrails look at each chunk, however large
    "user": untouched,
    "response_format": check_response_format,
    "structured_outputs": check_structured_outputs,
    **_REFUSED,
    **{name: refused(f"vLLM ignores it since 0.12; {instead}") for name, instead in _GONE.items()},
}

CHAT: Mapping[str, Check] = {
    **_COMMON,
    "messages": untouched,  # checked by gateway.api.content
    "max_completion_tokens": integer(1, MAX_TOKENS),
    "logprobs": boolean,
    "top_logprobs": integer(0, MAX_LOGPROBS),
    "tools": check_tools,
    "tool_choice": choice_of_tool,
    "parallel_tool_calls": boolean,
    "functions": refused("the engine knows tools only; use 'tools'.", harmless=([],)),
    "function_call": refused("the engine knows tools only; use 'tool_choice'.", harmless=("none", "auto")),
    "reasoning_effort": untouched,
    "include_reasoning": boolean,
    "verbosity": untouched,
    "modalities": untouched,
    "audio": untouched,
    "service_tier": untouched,
    "safety_identifier": untouched,
    "prompt_cache_key": untouched,
    "prompt_cache_retention": untouched,
    "web_search_options": refused("the engine must not reach the web for a client.", harmless=()),
    "add_generation_prompt": boolean,
    "continue_final_message": boolean,
    "chat_template_kwargs": template_options,
    "documents": refused("put documents into the messages, where the guardrails read them."),
}

COMPLETIONS: Mapping[str, Check] = {
    **_COMMON,
    "prompt": untouched,  # checked by gateway.api.content
    "suffix": texts(1, 100_000),
    "logprobs": integer(0, MAX_LOGPROBS),
}

EMBEDDINGS: Mapping[str, Check] = {
    "model": untouched,
    "input": untouched,  # checked by gateway.api.content
    "encoding_format": untouched,
    "dimensions": integer(1, 100_000),
    "user": untouched,
    "truncate_prompt_tokens": integer(-1, MAX_TOKENS),
    "truncation_side": untouched,
    "add_special_tokens": boolean,
    "add_generation_prompt": boolean,
    "continue_final_message": boolean,
    "normalize": boolean,
    "use_activation": boolean,
    "embed_dtype": untouched,
    "endianness": untouched,
    "padding": refused("it fills every text up to the model's length.", harmless=("do_not_pad",)),
    "messages": refused("put texts into 'input', where the guardrails read them."),
    "chat_template_kwargs": template_options,
    **_REFUSED,
}

_NO_STATE = "the gateway keeps no conversations; send the earlier items again in 'input'."

RESPONSES: Mapping[str, Check] = {
    "model": untouched,
    "stream": boolean,
    "stream_options": mapping(8),
    "input": untouched,  # checked by gateway.api.items
    "instructions": text,
    "max_output_tokens": integer(1, MAX_TOKENS),
    "max_tool_calls": integer(0, 1_000),
    "text": check_text_options,
    "tools": check_flat_tools,
    "tool_choice": choice_of_tool,
    "parallel_tool_calls": boolean,
    "reasoning": mapping(8),
    "include_reasoning": boolean,
    "include": includable,
    "top_logprobs": integer(0, MAX_LOGPROBS),
    "chat_template_kwargs": template_options,
    "structured_outputs": check_structured_outputs,
    **{name: _COMMON[name] for name in ("temperature", "top_p", "top_k", "min_p", "seed", "user", "logit_bias")},
    **{name: _COMMON[name] for name in ("frequency_penalty", "presence_penalty", "repetition_penalty")},
    **{name: _COMMON[name] for name in ("stop", "stop_token_ids", "ignore_eos", "skip_special_tokens")},
    "include_stop_str_in_output": boolean,
    "truncation": untouched,
    "service_tier": untouched,
    "safety_identifier": untouched,
    "prompt_cache_key": untouched,
    "prompt_cache_retention": untouched,
    **_REFUSED,
    "previous_response_id": refused(_NO_STATE),
    "conversation": refused(_NO_STATE),
    "background": refused("an answer nobody waits for would be kept upstream.", harmless=(False,)),
    "previous_input_messages": refused("the guardrails do not read them; put them into 'input'."),
    "enable_response_messages": refused("the answer's raw tokens would bypass the guardrails.", harmless=(False,)),
    "prompt": refused("prompts of the house are at /v1/prompts; name the one you use in x-kakehashi-prompt."),
}

MESSAGES: Mapping[str, Check] = {
    "model": untouched,
    "stream": boolean,
    "messages": untouched,  # checked by gateway.api.messages
    "system": untouched,  # checked by gateway.api.messages
    "max_tokens": integer(1, MAX_TOKENS),
    "temperature": number(0, 10),
    "top_p": number(0, 1),
    "top_k": integer(-1, 1_000_000),
    "stop_sequences": texts(16, 256),
    "tools": check_messages_tools,
    "tool_choice": mapping(8),
    "thinking": mapping(8),
    "output_config": check_output_config,
    "service_tier": untouched,
    "chat_template_kwargs": template_options,
    **_REFUSED,
    "container": refused("the engine must not run code for a client."),
    "mcp_servers": refused("the engine must not reach out for a client."),
}

COUNT_TOKENS: Mapping[str, Check] = {
    name: MESSAGES[name]
    for name in (
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "chat_template_kwargs",
    )
}

TOKENIZE: Mapping[str, Check] = {
    "model": untouched,
    "prompt": untouched,  # checked by gateway.api.content
    "messages": untouched,  # checked by gateway.api.content
    "tools": check_tools,
    "add_special_tokens": boolean,
    "add_generation_prompt": boolean,
    "continue_final_message": boolean,
    "chat_template_kwargs": template_options,
    "return_token_strs": refused("token ids and texts are not told, only their number.", harmless=(False,)),
    **_REFUSED,
}

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?", re.ASCII)


def language(value: Any, where: str) -> None:
    """It becomes a token of the engine's prompt."""
    if not isinstance(value, str) or not _LANGUAGE.fullmatch(value):
        raise BadRequest(f"'{where}' must be a language such as 'ja' or 'en' (ISO 639-1).", param=where)


TRANSCRIPTIONS: Mapping[str, Check] = {
    "model": text,
    "language": language,
    "prompt": texts(1, 4_000),  # Whisper itself takes 224 tokens of it
    "response_format": one_of("json", "text", "srt", "vtt", "verbose_json"),
    "temperature": number(0, 1),
    "timestamp_granularities": each_of("word", "segment"),
    "stream": boolean,
    "known_speaker_references": refused("recordings beside 'file' would be neither checked nor on record."),
}

TRANSLATIONS: Mapping[str, Check] = {
    name: TRANSCRIPTIONS[name] for name in ("model", "prompt", "response_format", "temperature", "language")
}


@dataclass(frozen=True, slots=True)
class Sifted:
    """The body to go on with, and the names of what was left out."""

    body: dict[str, Any]
    ignored: tuple[str, ...]

    @property
    def header(self) -> dict[str, str]:
        """``x-kakehashi-ignored-params``; names are percent-encoded, since a client chooses them."""
        if not self.ignored:
            return {}
        return {"x-kakehashi-ignored-params": ",".join(quote(name[:60], safe="") for name in self.ignored[:20])}


def sift(body: dict[str, Any], allowed: Mapping[str, Check]) -> Sifted:
    """Check every field of a body against its surface's list. A null is as good as not given. Raises BadRequest."""
    kept: dict[str, Any] = {}
    ignored: list[str] = []
    for name, value in body.items():
        if value is None:
            continue
        check = allowed.get(name)
        if check is None:
            if (name, value) != ("store", False):  # as asked: nothing is stored
                ignored.append(name)
            continue
        try:
            check(value, name)
        except LeaveOut:
            ignored.append(name)
            continue
        kept[name] = value
    if not isinstance(kept.get("model"), str):
        raise BadRequest("'model' is missing or not a text.", code="missing_model", param="model")
    return Sifted(kept, tuple(ignored))
