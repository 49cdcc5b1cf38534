"""The gateway's accounts, as an app uses them: signing in, asking whose a session is. By HTTP only.

Answers are kept for seconds, so that not every click asks; a session that has ended is out of the app within ``FRESH_S``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from apps.common.client import read_key
from kakehashi.errors import KakehashiError, NotReady, UsageError

FRESH_S = 3.0
_TIMEOUT = httpx.Timeout(10.0, connect=2.0)
_CAPACITY = 1000
# The gateway's codes for which pages have words of their own.
_TOLD = {
    "invalid_credentials",
    "sign_in_delayed",
    "first_code_wrong",
    "accounts_exist",
    "password_length",
    "password_is_name",
    "password_repeats",
    "user_name",
    "session_ended",
    "no_local_account",
    "no_team",
}


@dataclass(frozen=True)
class Account:
    """A person who is signed in. ``source``: session (a local account) or oidc."""

    id: str
    name: str
    roles: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Standing:
    """``accounts``: there are some; None: this gateway has no sign-in, or does not answer now."""

    accounts: bool | None


@dataclass(frozen=True)
class _Kept:
    value: Any
    at: float


class Accounts:
    """One app's line to the gateway's ``/v1/session``. Thread-safe. ``key_file``: the app's service key."""

    def __init__(
        self, base_url: str, key_file: Path, app: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url, self._key_file, self._app, self._clock = base_url.rstrip("/") + "/session", key_file, app, clock
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def standing(self) -> Standing:
        """Whether there are accounts. Never raises: an app must open where no gateway of ours runs."""
        known = self._known("")
        if known is None:
            try:
                accounts: bool | None = bool(self._ask("GET", "")["accounts"])
            except (KakehashiError, KeyError):
                accounts = None
            known = self._keep("", Standing(accounts))
        standing: Standing = known
        return standing

    def whose(self, token: str) -> Account | None:
        """The person with this session; None when it has ended. Raises NotReady when the gateway cannot say."""
        mark = sha256(token.encode()).hexdigest()
        known = self._known(mark)
        if known is None:
            user = self._ask("GET", "", token).get("user")
            known = self._keep(mark, (_account(user),) if user else ())
        return known[0] if known else None

    def sign_in(self, name: str, password: str) -> str:
        """The token of a new session. Raises UsageError (wrong, or too often wrong), NotReady."""
        return str(self._ask("POST", "", body={"name": name, "password": password})["token"])

    def sign_in_company(self, id_token: str) -> str:
        """The token of a new session for who holds the identity provider's token. Raises UsageError, NotReady."""
        return str(self._ask("POST", "", body={"id_token": id_token})["token"])

    def create_first(self, code: str, name: str, password: str) -> str:
        """Make the first account, an admin, and sign in. Raises UsageError, NotReady."""
        made = self._ask("POST", "/first", body={"code": code, "name": name, "password": password})
        self._forget("")
        return str(made["token"])

    def change_password(self, token: str, old: str, new: str) -> None:
        """Raises UsageError, NotReady."""
        self._ask("POST", "/password", token, {"old": old, "new": new})

    def sign_out(self, token: str) -> None:
        """Raises NotReady when the gateway cannot be told."""
        self._forget(sha256(token.encode()).hexdigest())
        self._ask("DELETE", "", token)

    def _ask(self, method: str, path: str, token: str = "", body: dict[str, str] | None = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {read_key(self._key_file)}", "x-kakehashi-app": self._app}
        if token:
            headers["x-kakehashi-session"] = token
        try:
            answer = httpx.request(method, self._url + path, headers=headers, json=body, timeout=_TIMEOUT)
        except httpx.HTTPError as error:
            raise NotReady(
                "The gateway cannot be reached.", hint="Check `kakehashi status`.", code="gateway_down"
            ) from error
        if answer.is_success:
            return dict(answer.json()) if answer.content else {}
        raise _refusal(answer)

    def _known(self, mark: str) -> Any:
        with self._lock:
            kept = self._kept.get(mark)
        return kept.value if kept and self._clock() - kept.at < FRESH_S else None

    def _keep(self, mark: str, value: Any) -> Any:
        with self._lock:
            if len(self._kept) >= _CAPACITY:
                self._kept.clear()
            self._kept[mark] = _Kept(value, self._clock())
        return value

    def _forget(self, mark: str) -> None:
        with self._lock:
            self._kept.pop(mark, None)


def _account(user: dict[str, Any]) -> Account:
    return Account(str(user["id"]), str(user["name"]), tuple(user["roles"]), str(user["source"]))


def _refusal(answer: httpx.Response) -> KakehashiError:
    try:
        error = answer.json()["error"]
        message, code = str(error["message"]), str(error["code"])
    except (ValueError, KeyError, TypeError):
        message, code = "", ""
    if code in _TOLD:
        return UsageError(message, code=code)
    return NotReady(f"The gateway refused this ({answer.status_code} {code}).", code="sign_in_refused")
