"""Prompts are files: ``prompts/<task>/<version>.yaml``, loaded by id; their version goes into audit records.

A file holds ``id, version, description, language, messages: [{role, content}]`` with ``{name}`` slots, an optional JSON
``schema`` for the answer, ``settings`` (temperature, max_tokens …) and ``golden`` cases. The latest version is the one
named in ``prompts/<task>/current`` or else the highest number.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from kakehashi.errors import ConfigError
from kakehashi.paths import CHECKOUT

PROMPTS = CHECKOUT / "prompts"
_SLOT = re.compile(r"\{([a-z_]+)\}")


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")
    role: str
    content: str


class Prompt(BaseModel):
    """One version of one prompt. ``ref`` (``id@version``) is what audit records and outputs name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    version: str
    description: str
    language: str = "ja"
    messages: list[Message]
    answer_schema: dict[str, Any] | None = None
    settings: dict[str, Any] = {}
    golden: list[dict[str, Any]] = []
    sha256: str = ""

    @property
    def ref(self) -> str:
        return f"{self.id}@{self.version}"

    def render(self, **values: str) -> list[dict[str, str]]:
        """Messages with every ``{slot}`` filled. Raises ConfigError for a slot without a value.

        Braces in the values are left alone: only slots written in the file are replaced, in one pass.
        """

        def fill(match: re.Match[str]) -> str:
            if match[1] not in values:
                raise ConfigError(f"Prompt {self.ref}: no value for slot '{match[1]}'.")
            return values[match[1]]

        return [{"role": m.role, "content": _SLOT.sub(fill, m.content)} for m in self.messages]


def versions(prompt_id: str) -> list[str]:
    """All versions of a prompt, oldest first."""
    found = [p.stem for p in (PROMPTS / prompt_id).glob("*.yaml")]
    return sorted(found, key=lambda v: [int(n) for n in re.findall(r"\d+", v)])


def _current(prompt_id: str) -> str:
    pinned = PROMPTS / prompt_id / "current"
    if pinned.exists():
        return pinned.read_text().strip()
    found = versions(prompt_id)
    if not found:
        raise ConfigError(f"There is no prompt '{prompt_id}' in prompts/.")
    return found[-1]


@lru_cache
def load(prompt_id: str, version: str | None = None) -> Prompt:
    """Load a prompt by id (``minutes.actions`` lies in ``prompts/minutes.actions/``) and, if given, version."""
    path = PROMPTS / prompt_id / f"{version or _current(prompt_id)}.yaml"
    if not path.exists():
        raise ConfigError(f"There is no version '{version}' of prompt '{prompt_id}'.")
    raw = path.read_bytes()
    return Prompt(**yaml.safe_load(raw), sha256=hashlib.sha256(raw).hexdigest())


def ids() -> list[str]:
    return sorted(p.name for p in Path(PROMPTS).iterdir() if p.is_dir() and any(p.glob("*.yaml")))
