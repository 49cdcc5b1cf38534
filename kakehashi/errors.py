"""All errors that Kakehashi raises on purpose.

KakehashiError          carries a message for the person at the keyboard and a hint how to go on
├── UsageError          the caller gave something wrong (exit code 2, HTTP 400)
│   ├── ConfigError     a setting is unknown, missing or unsafe
│   └── BadInput        a file or brief cannot be used (empty, corrupt, wrong type)
├── NotReady            something needed is not running or not installed (exit code 3, HTTP 503)
├── Cancelled           the user stopped the job (exit code 130)
├── IntegrityError      a hash or chain does not match (exit code 4)
└── UpstreamError       the model or gateway answered with an error (exit code 5, HTTP 502)
"""

from __future__ import annotations

from collections.abc import Mapping


class KakehashiError(Exception):
    """Base of all expected errors.

    ``message`` says what and where, ``hint`` how to fix it; both are shown to the user as they are.
    ``code`` is a stable machine name (for example ``audio_silent``) by which pages translate the message, ``values``
    what the translation fills in (a file's name, a limit).
    """

    exit_code = 1
    default_code = "error"

    def __init__(
        self, message: str, *, hint: str = "", code: str = "", values: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code
        self.values = dict(values or {})

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(KakehashiError):
    exit_code = 2
    default_code = "usage"


class ConfigError(UsageError):
    default_code = "config"


class BadInput(UsageError):
    default_code = "bad_input"


class NotReady(KakehashiError):
    exit_code = 3
    default_code = "not_ready"


class IntegrityError(KakehashiError):
    exit_code = 4
    default_code = "integrity"


class UpstreamError(KakehashiError):
    exit_code = 5
    default_code = "upstream"


class Cancelled(KakehashiError):
    exit_code = 130
    default_code = "cancelled"
