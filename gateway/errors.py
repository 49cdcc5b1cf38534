"""Every error the gateway answers with, in OpenAI's shape.

ApiError                status, type, code, param and message; the client sees them as they are
├── BadRequest          400  the request cannot be used: names the field and says why
├── Unauthorized        401  no key, or an unknown, expired or revoked one (never repeats the key)
├── Forbidden           403  the key may not do this
├── NotFound            404  no such model, prompt, key, team or address
├── Conflict            409  a name is taken, or a team still has keys
├── BodyTimeout         408  the client did not finish sending its body
├── TooLarge            413  the body is over the limit; refused before it is read whole
├── HeadersTooLarge     431  the request's head is over the limit
├── RateLimited         429  the requests or tokens per minute of a key, team or model are used up
│   └── QuotaExceeded   429  so is a budget of tokens or yen, for the day or the month
├── ContentBlocked      400  a guardrail forbids the request
├── UpstreamRefused     4xx  the engine refused the request; its own status and message
├── BadGateway          502  the engine broke off, or answered nonsense
├── Unavailable         503  the engine, the database, the limits or the audit log cannot be reached
└── UpstreamTimeout     504  the engine did not answer in time

ClientGone is no answer: the client left, nobody is there to read one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from kakehashi.errors import KakehashiError


class ApiError(KakehashiError):
    """An error answer. ``headers`` (for example retry-after) go with it."""

    status: int = 500
    type: ClassVar[str] = "server_error"
    default_code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.param = param
        self.headers = dict(headers or {})

    def shape(self) -> dict[str, Any]:
        return shape(self.message, self.type, self.code, self.param)

    def body(self) -> bytes:
        return orjson.dumps(self.shape())


def shape(message: str, type_: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    """OpenAI's error object."""
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


class BadRequest(ApiError):
    status = 400
    type = "invalid_request_error"
    default_code = "invalid_value"


class Unauthorized(ApiError):
    status = 401
    type = "invalid_request_error"
    default_code = "invalid_api_key"

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message, code=code, headers={"www-authenticate": "Bearer"})


class Forbidden(ApiError):
    status = 403
    type = "invalid_request_error"
    default_code = "forbidden"


class NotFound(ApiError):
    status = 404
    type = "invalid_request_error"
    default_code = "not_found"


class Conflict(ApiError):
    status = 409
    type = "invalid_request_error"
    default_code = "conflict"


class BodyTimeout(ApiError):
    status = 408
    type = "invalid_request_error"
    default_code = "request_timeout"


class TooLarge(ApiError):
    status = 413
    type = "invalid_request_error"
    default_code = "request_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit} bytes, the limit of this gateway.")


class HeadersTooLarge(ApiError):
    status = 431
    type = "invalid_request_error"
    default_code = "headers_too_large"


class RateLimited(ApiError):
    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class QuotaExceeded(RateLimited):
    type = "insufficient_quota"
    default_code = "insufficient_quota"


class ContentBlocked(ApiError):
    status = 400
    type = "guardrail_violation"
    default_code = "content_blocked"


class UpstreamRefused(ApiError):
    """The engine's own 4xx, under its own status."""

    type = "invalid_request_error"
    default_code = "upstream_refused"

    def __init__(
        self, status: int, message: str, *, code: str = "", param: str | None = None, headers: Mapping[str, str] | None
    ) -> None:
        super().__init__(message, code=code, param=param, headers=headers)
        self.status = status


class BadGateway(ApiError):
    status = 502
    default_code = "upstream_error"


class Unavailable(ApiError):
    status = 503
    default_code = "upstream_unavailable"

    def __init__(self, message: str, *, code: str = "", retry_after_s: int = 2) -> None:
        super().__init__(message, code=code, headers={"retry-after": str(retry_after_s)})


class UpstreamTimeout(ApiError):
    status = 504
    default_code = "upstream_timeout"


class ClientGone(Exception):
    """The client closed its connection before the answer was complete."""
