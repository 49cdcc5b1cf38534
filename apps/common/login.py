"""Who is using a page: a person who signed in, a name from a trusted proxy's header, or this browser's own cookie.

Without sign-in, jobs belong to the browser that made them, so that typing somebody else's name shows nobody else's jobs;
the name typed in goes into the audit records as one that nobody vouches for.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from apps.common.accounts import Account, Accounts
from apps.common.i18n import Language
from apps.common.jobs.folder import write_atomic
from kakehashi.errors import ConfigError, UsageError
from kakehashi.settings import AppSettings

COOKIE = "kakehashi_browser"
SESSION_COOKIE = "kakehashi_session"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TOKEN_BYTES = 24


@dataclass(frozen=True)
class Person:
    """``owner`` decides which jobs one sees; ``name`` is shown and audited. ``fixed``: the name is verified, not typed
    in; ``account``: of a person who signed in to this app."""

    owner: str
    name: str
    fixed: bool
    account: Account | None = None


class SignInNeeded(UsageError):
    """Nobody is signed in, or the session has ended: the page sends people to where they can."""

    default_code = "sign_in_needed"


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
class Door:
    """Decides who a visitor is, by the app's settings. ``company``: company accounts are configured."""

    own: AppSettings
    accounts: Accounts
    company: bool = False

    def mode(self) -> Literal["none", "local", "oidc", "proxy"]:
        """How people sign in here now: ``auto`` turns to ``local`` with the first account."""
        if self.own.sign_in != "auto":
            return self.own.sign_in
        if self.own.user_header:
            return "proxy"
        if self.company:
            return "oidc"
        # A gateway that does not answer cannot say: on this machine alone the app opens, and shows a browser's own jobs.
        open_to_others = self.own.host not in LOOPBACK
        return "local" if self.accounts.standing().accounts or open_to_others else "none"

    def person(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Person | None:
        """The person behind a request; None: no browser cookie yet. Raises UsageError, SignInNeeded, NotReady."""
        mode = self.mode()
        if mode == "proxy":
            return identify(headers, cookies, self.own.user_header or _no_header())
        if mode == "none":
            return identify(headers, cookies, None)
        token = cookies.get(SESSION_COOKIE)
        account = self.accounts.whose(token) if token else None
        if account is None:
            raise SignInNeeded("Nobody is signed in.", hint="Open the page anew.")
        return Person(owner=f"user:{account.id}", name=account.name, fixed=True, account=account)


def _no_header() -> str:
    raise ConfigError("sign_in is proxy, but user_header is not set.")


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
