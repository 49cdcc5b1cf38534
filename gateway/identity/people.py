"""Everything about people that signing in needs, put together once; and the code that proves who may make the first account."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Forbidden
from gateway.identity.oidc import Oidc
from gateway.identity.sessions import Sessions
from gateway.identity.users import UserStore

FIRST_CODE = "first-account.code"


@dataclass(frozen=True)
class People:
    """``oidc``: None without an identity provider; ``secrets``: the folder where the first account's code lies."""

    users: UserStore
    sessions: Sessions
    oidc: Oidc | None
    secrets: Path

    def offer_first_code(self) -> None:
        """Write the code, readable by the owner only, unless it is there: who can read it, administers this machine."""
        path = self.secrets / FIRST_CODE
        if path.exists():
            return
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return  # another process was quicker
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(18) + "\n")

    def check_first_code(self, code: str) -> None:
        """Raises Forbidden for another code than the file's, or without a file."""
        path = self.secrets / FIRST_CODE
        stored = path.read_text().strip() if path.exists() else ""
        if not (len(stored) > 16 and hmac.compare_digest(stored.encode(), code.strip().encode())):
            raise Forbidden(f"That is not the code in secrets/{FIRST_CODE}.", code="first_code_wrong")

    def forget_first_code(self) -> None:
        """Once there is an account."""
        (self.secrets / FIRST_CODE).unlink(missing_ok=True)
