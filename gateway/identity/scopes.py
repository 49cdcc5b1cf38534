"""What a key, team or person may be allowed: the surfaces by name, and the roles of people."""

from __future__ import annotations

from collections.abc import Iterable

from kakehashi.errors import UsageError

ROLES = ("user", "reviewer", "auditor", "admin")

# As they stand in audit records and metrics. ``models`` is open to every caller (SDKs list them first).
SURFACES = (
    "chat",
    "completions",
    "responses",
    "messages",
    "count_tokens",
    "embeddings",
    "tokenize",
    "transcriptions",
    "translations",
    "files",
    "batches",
    "moderations",
    "guard.scan",
    "prompts",
)
# Who asks the first two learns only about themselves; the roles say who may use the admin API.
ALWAYS = frozenset({"models", "session", "admin"})
Scope = frozenset[str] | None


def surfaces(names: Iterable[str] | None) -> tuple[str, ...] | None:
    """The names, checked; None: all. Raises UsageError that lists the known ones."""
    return _checked("surface", names, SURFACES)


def roles(names: Iterable[str]) -> tuple[str, ...]:
    """The names, checked. Raises UsageError that lists the known ones."""
    return _checked("role", names, ROLES) or ()


def both(one: Scope, other: Scope) -> Scope:
    """What both scopes allow; None is everything."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _checked(kind: str, names: Iterable[str] | None, known: tuple[str, ...]) -> tuple[str, ...] | None:
    if names is None:
        return None
    given = tuple(dict.fromkeys(names))
    if unknown := sorted(set(given) - set(known)):
        raise UsageError(f"There is no {kind} '{unknown[0][:60]}'.", hint=f"Known: {', '.join(known)}.")
    if not given:
        raise UsageError(f"Name at least one {kind}.", hint=f"Known: {', '.join(known)}.")
    return given
