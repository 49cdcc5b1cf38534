"""Who is using a page: a name from a trusted proxy's header, or this browser's own cookie plus a name typed in.

Thin on purpose: the proxy (or a later issue) signs people in. Without a proxy, jobs belong to the browser that made
them, so that typing somebody else's name shows nobody else's jobs; the name goes into the audit records.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from apps.common.i18n import Language
from apps.common.jobs.folder import write_atomic
from kakehashi.errors import UsageError

COOKIE = "kakehashi_browser"
_TOKEN_BYTES = 24


@dataclass(frozen=True)
class Person:
    """``owner`` decides which jobs one sees; ``name`` is shown and audited. ``fixed``: the name is the proxy's."""

    owner: str
    name: str
    fixed: bool


class Preferences(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = ""
    language: Language | None = None


def new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def identify(headers: Mapping[str, str], cookies: Mapping[str, str], proxy_header: str | None) -> Person | None:
    """The person behind a request; None: no cookie yet. Raises UsageError when the proxy's header is missing.

    The cookie itself is a secret and is not kept: the owner is its hash.
    """
    if proxy_header:
        name = headers.get(proxy_header.lower()) or headers.get(proxy_header)
        if not name:
            raise UsageError(
                f"The request carries no '{proxy_header}' header.",
                hint="Open the page through the sign-in proxy.",
                code="not_signed_in",
            )
        return Person(owner=f"user:{name}", name=name, fixed=True)
    token = cookies.get(COOKIE)
    if not token:
        return None
    return Person(owner=f"browser:{hashlib.sha256(token.encode()).hexdigest()[:32]}", name="", fixed=False)


@dataclass(frozen=True)
class People:
    """What people chose for themselves (name, language), one small file each."""

    root: Path

    def _file(self, owner: str) -> Path:
        return self.root / f"{hashlib.sha256(owner.encode()).hexdigest()[:32]}.json"

    def preferences(self, owner: str) -> Preferences:
        file = self._file(owner)
        return Preferences.model_validate_json(file.read_bytes()) if file.exists() else Preferences()

    def save(self, owner: str, preferences: Preferences) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(self._file(owner), preferences.model_dump_json().encode())
