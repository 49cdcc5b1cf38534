"""``GET /v1/prompts``: the versioned prompts, as files under ``prompts/`` hold them."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter

from gateway.api.services import Caller
from gateway.errors import NotFound
from kakehashi import prompts
from kakehashi.errors import ConfigError

router = APIRouter(prefix="/v1/prompts", tags=["prompts"])
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


@router.get("")
def list_prompts(caller: Caller) -> dict[str, Any]:
    """Every prompt with its current version."""
    return {"object": "list", "data": [_summary(prompts.load(prompt_id)) for prompt_id in prompts.ids()]}


@router.get("/{prompt_id}")
def get_prompt(prompt_id: str, caller: Caller, version: str | None = None) -> dict[str, Any]:
    """One prompt, in its current or the given version: messages with their slots, schema, settings."""
    known = _ID.fullmatch(prompt_id) and (version is None or _VERSION.fullmatch(version))
    try:
        if not known:
            raise ConfigError("not a name")
        prompt = prompts.load(prompt_id, version)
    except ConfigError:
        wanted = f"{prompt_id[:100]}@{version[:40]}" if version else prompt_id[:100]
        raise NotFound(f"There is no prompt '{wanted}'.", code="prompt_not_found") from None
    return {"object": "prompt", **prompt.model_dump(exclude={"golden"}), "versions": prompts.versions(prompt_id)}


def _summary(prompt: prompts.Prompt) -> dict[str, Any]:
    return {
        "object": "prompt",
        "id": prompt.id,
        "version": prompt.version,
        "versions": prompts.versions(prompt.id),
        "description": prompt.description,
        "language": prompt.language,
        "sha256": prompt.sha256,
    }
