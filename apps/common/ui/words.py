"""Errors in the user's language: by their code, in the shared texts or in an app's own table."""

from __future__ import annotations

import re
from collections.abc import Callable

from apps.common.i18n import Language, Texts
from apps.common.jobs import Failure
from kakehashi.errors import KakehashiError

_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
Localise = Callable[[KakehashiError, str], tuple[str, str]]


def explain(error: KakehashiError, language: Language, localise: Localise | None = None) -> tuple[str, str]:
    """What happened and how to go on. A code that no table knows is told as it is, inside a translated sentence."""
    texts = Texts(language)
    values = _Lenient(error.values | {"detail": error.message})
    message, hint = localise(error, language) if localise is not None else (error.message, error.hint)
    if (message, hint) != (error.message, error.hint):
        return message, hint
    if texts.get(f"errors.{error.code}.message", ""):
        code = error.code
    elif language == "en" or _JAPANESE.search(error.message):
        return message, hint
    else:
        code = "other"
    return texts(f"errors.{code}.message").format_map(values), texts(f"errors.{code}.hint").format_map(values)


def explain_failure(failure: Failure, language: Language, localise: Localise | None = None) -> tuple[str, str]:
    """The same for a failed stage of a job."""
    error = KakehashiError(failure.message, hint=failure.hint, code=failure.code, values=failure.values)
    return explain(error, language, localise)


class _Lenient(dict[str, str]):
    """A value that is not given leaves a dash, so that a message is never lost over a detail."""

    def __missing__(self, key: str) -> str:
        return "—"
