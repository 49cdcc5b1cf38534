"""The apps' way to the model: LangChain's chat model on the gateway, prompts by id, answers with their origin.

It knows the gateway by its public HTTP API only, and works with any OpenAI-compatible server (then without origin).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import openai
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from apps.common.provenance import Origin
from kakehashi.errors import KakehashiError, NotReady, UpstreamError
from kakehashi.prompts import Prompt


@dataclass(frozen=True)
class Question:
    """One request: a prompt file, the values of its slots, and (if it depends on the values) the answer's schema."""

    prompt: Prompt
    values: dict[str, str]
    schema: dict[str, Any] | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """``text`` as received; ``data`` the parsed JSON where a schema was asked for (None when it does not parse)."""

    text: str
    data: Any
    origin: Origin
    finish_reason: str
    usage: dict[str, int]


def read_key(path: Path) -> str:
    """The virtual key in a file. Raises NotReady when there is none."""
    if not path.exists():
        raise NotReady(
            f"No gateway key found ({path.name}).", hint="Run `make up`, or `kakehashi key create`.", code="no_key"
        )
    return path.read_text().strip()


class GatewayClient:
    """Questions to the model through the gateway. Thread-safe.

    ``vouched``: the user's name is verified (they signed in, or a trusted proxy names them), not typed in.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        model: str = "default",
        app: str = "",
        job: str = "",
        user: str = "",
        vouched: bool = True,
        timeout_s: float = 600.0,
        parallel: int = 8,
    ) -> None:
        self.parallel = parallel
        named = "x-kakehashi-user" if vouched else "x-kakehashi-claimed-user"
        self._headers = {
            name: quote(value, safe=" @.:-_")
            for name, value in (("x-kakehashi-app", app), ("x-kakehashi-job", job), (named, user))
            if value
        }
        self._chat = ChatOpenAI(
            base_url=base_url,
            api_key=SecretStr(key),
            model=model,
            timeout=timeout_s,
            max_retries=2,
            temperature=0.0,
            include_response_headers=True,
            stream_usage=False,
        )

    def ask(self, question: Question) -> Answer:
        """Ask once. Raises NotReady, UpstreamError (see :func:`_translate`)."""
        answer = self.ask_many([question])[0]
        if isinstance(answer, KakehashiError):
            raise answer
        return answer

    def ask_many(self, questions: Sequence[Question]) -> list[Answer | KakehashiError]:
        """Ask independent questions together; one failed question does not take the others with it."""
        if not questions:
            return []
        runnables = [self._chat.bind(**self._options(q)) for q in questions]
        inputs = [q.prompt.render(**q.values) for q in questions]

        def call(index: int) -> AIMessage:
            message = runnables[index].invoke(inputs[index])
            assert isinstance(message, AIMessage)  # noqa: S101 - narrows LangChain's wide return type
            return message

        results = RunnableLambda(call).batch(
            list(range(len(questions))), config={"max_concurrency": self.parallel}, return_exceptions=True
        )
        return [
            _translate(result) if isinstance(result, Exception) else self._answer(q, result)
            for q, result in zip(questions, results, strict=True)
        ]

    def _options(self, question: Question) -> dict[str, Any]:
        schema = question.schema or question.prompt.answer_schema
        options: dict[str, Any] = {**question.prompt.settings, **question.settings}
        options["extra_headers"] = {**self._headers, "x-kakehashi-prompt": question.prompt.ref}
        if schema is not None:
            options["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": question.prompt.id.replace(".", "_"), "schema": schema, "strict": True},
            }
        return options

    def _answer(self, question: Question, message: AIMessage) -> Answer:
        text = message.content if isinstance(message.content, str) else ""
        metadata = message.response_metadata
        headers = {k.lower(): v for k, v in dict(metadata.get("headers") or {}).items()}
        request_id = headers.get("x-request-id")
        origin = Origin(
            source="model",
            request_ids=[request_id] if request_id else [],
            model=headers.get("x-kakehashi-model") or metadata.get("model_name"),
            prompt=question.prompt.ref,
            policy=headers.get("x-kakehashi-policy"),
        )
        usage = message.usage_metadata
        return Answer(
            text=text,
            data=_json(text) if (question.schema or question.prompt.answer_schema) else None,
            origin=origin,
            finish_reason=str(metadata.get("finish_reason") or ""),
            usage={"input": usage["input_tokens"], "output": usage["output_tokens"]} if usage else {},
        )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _translate(error: Exception) -> KakehashiError:
    """OpenAI's exceptions → ours, with a code by which pages translate them."""
    if isinstance(error, KakehashiError):
        return error
    if isinstance(error, openai.LengthFinishReasonError | openai.ContentFilterFinishReasonError):
        return UpstreamError("The model's answer was cut off.", code="answer_cut")
    if isinstance(error, openai.APITimeoutError):
        return UpstreamError("The model did not answer in time.", hint="Try again later.", code="model_timeout")
    if isinstance(error, openai.APIConnectionError):
        return NotReady("The gateway cannot be reached.", hint="Check `kakehashi status`.", code="gateway_down")
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        return UpstreamError("The gateway refused the key.", hint="It was revoked or expired.", code="key_refused")
    if isinstance(error, openai.RateLimitError):
        return UpstreamError("The key's limit is reached.", hint="Wait a minute, then resume.", code="rate_limited")
    if isinstance(error, openai.APIStatusError) and error.status_code in (502, 503, 504):
        return NotReady("The model is not ready.", hint="Check `kakehashi status`.", code="engine_down")
    if isinstance(error, openai.APIStatusError):
        return UpstreamError(f"The gateway answered {error.status_code}: {error.message}", code="gateway_error")
    raise error
