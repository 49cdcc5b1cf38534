"""The proposals app put together once per process: its context and what it accepts."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from apps.common.i18n import Language
from apps.common.ui import server
from apps.common.ui.context import AppContext
from apps.common.ui.context import context as build
from apps.proposals.brief import read_brief
from apps.proposals.evidence.read import read_file
from apps.proposals.render import check_template
from kakehashi import settings
from kakehashi.errors import KakehashiError

WORKER = "apps.proposals.ui.jobs"
BRIEF_TYPES = (".yaml", ".yml", ".md", ".txt")
EVIDENCE_TYPES = (".txt", ".md", ".pdf", ".docx", ".xlsx", ".csv", ".json")
TEMPLATE_TYPES = (".pptx", ".potx")


@lru_cache
def context() -> AppContext:
    return build("proposals", settings.load().proposals.max_attachment_mib)


def check_upload(path: Path, purpose: str, language: str) -> None:
    """Raises BadInput when a complete upload is not what its place on the page is for."""
    say: Language = "en" if language == "en" else "ja"
    if purpose == "brief":
        read_brief(path, say=say)
    elif purpose == "template":
        check_template(path)
    else:
        read_file(path, max_mib=context().settings.proposals.max_attachment_mib, say=say)


def localise(error: KakehashiError, _language: str) -> tuple[str, str]:
    """The parts of this app write their messages in the language they are called with."""
    return error.message, error.hint


def parts() -> dict[str, Any]:
    return server.parts(context(), WORKER, check_upload, localise)
