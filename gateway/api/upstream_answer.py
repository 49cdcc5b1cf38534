"""What came back from the engine: a sound answer, or its error in our shape, by its status and with its own words."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.errors import ApiError, BadGateway, Unavailable, UpstreamRefused, UpstreamTimeout
from gateway.routing.reply import Answer

_LONGEST_MESSAGE = 2_000


async def read_answer(reply: Answer) -> tuple[dict[str, Any], bytes]:
    """A complete answer, decoded, and its bytes. Raises ApiError for an error or for what is no JSON object."""
    await raise_for_status(reply)
    raw = await reply.read()
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise BadGateway("The model server's answer is no JSON object.", code="upstream_bad_answer")
    if answer.get("error"):  # some servers say 200 and mean an error
        raise error_of(502, raw, "")
    return answer, raw


async def raise_for_status(reply: Answer) -> None:
    if reply.status != 200:
        raise error_of(reply.status, await reply.read(), reply.header("retry-after"))


def error_of(status: int, body: bytes, retry_after: str) -> ApiError:
    """Upstream's error as ours: by its status, never by its text (litellm PR#32537).

    A 401 or 403 there is about the gateway's own key and must not look like the client's; a 500 there is a 502 here, so
    that our failures and the engine's can be told apart.
    """
    message, code, param = _described(body)
    if status in (401, 403):
        return BadGateway("The model server refuses the gateway's API key.", code="upstream_unauthorized")
    if status in (404, 405, 501) and not code and param != "model":
        told = f"The model server does not serve this kind of request. {message}".strip()
        return UpstreamRefused(404, told, code="surface_not_served", headers=None)
    if 400 <= status < 500:
        headers = {"retry-after": retry_after} if retry_after.isascii() and retry_after.isdigit() else None
        return UpstreamRefused(
            status, message or f"The model server answered {status}.", code=code, param=param, headers=headers
        )
    if status == 503:
        wait = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else 2
        return Unavailable(message or "The model server is overloaded.", code="upstream_overloaded", retry_after_s=wait)
    if status == 504:
        return UpstreamTimeout(message or "The model server did not answer in time.")
    return BadGateway(f"The model server failed ({status}). {message}".strip(), code="upstream_error")


def _described(body: bytes) -> tuple[str, str, str | None]:
    """Message, code and parameter of an error body of whatever shape."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", "", None
    if isinstance(told, dict):
        told = told.get("error") or told.get("detail") or told
    if isinstance(told, dict):
        code, param = (value if isinstance(value := told.get(name), str) else None for name in ("code", "param"))
        return _text(told.get("message")), code or "", param
    return _text(told), "", None


def _text(value: Any) -> str:
    if value is None or value == {}:
        return ""
    return (value if isinstance(value, str) else orjson.dumps(value).decode())[:_LONGEST_MESSAGE]
