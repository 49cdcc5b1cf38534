"""Passwords of local accounts: argon2id with the parameters of RFC 9106 (64 MiB, three passes)."""

from __future__ import annotations

import secrets
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kakehashi.errors import UsageError

SHORTEST, LONGEST = 12, 200  # characters; NIST SP 800-63B asks for length, not for kinds of characters
_HASHER = PasswordHasher()
_ONE_AT_A_TIME = threading.Lock()  # each takes 64 MiB: many sign-ins at once must not take the gateway's memory


@cache
def _nobody() -> str:
    """A hash that no password has. Made when first needed: it takes a fifth of a second."""
    return _HASHER.hash(secrets.token_urlsafe(16))


def check_new(password: str, name: str) -> str:
    """The password, if it may be one. Raises UsageError, which never repeats it."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"A password has {SHORTEST} to {LONGEST} characters.", code="password_length")
    if name.casefold() in password.casefold() and len(password) < len(name) + SHORTEST:
        raise UsageError("The password is the name with little added.", code="password_is_name")
    if len(set(password)) < 5:
        raise UsageError("The password repeats a few characters.", code="password_repeats")
    return password


def generated() -> str:
    """A random password of 120 bits, in groups that can be read aloud."""
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"  # without l, o, 0, 1
    return "-".join("".join(secrets.choice(alphabet) for _ in range(6)) for _ in range(4))


def hashed(password: str) -> str:
    """The argon2id hash to store."""
    with _ONE_AT_A_TIME:
        return _HASHER.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether it is the password. It takes as long for nobody (``stored`` None) as for somebody."""
    if len(password) > LONGEST:
        return False
    with _ONE_AT_A_TIME:
        nobody = _nobody()  # for known names too, so that the first sign-in tells nothing either
        try:
            return _HASHER.verify(stored or nobody, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False
