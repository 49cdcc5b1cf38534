"""What a client is told of its limits: OpenAI's headers, and errors that name the level and say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.errors import QuotaExceeded, RateLimited
from gateway.limits.spec import MICRO
from gateway.limits.window import BUDGETS, Calendar, Claim, Refusal

# Clients of OpenAI's SDKs wait at most a minute of a retry-after; beyond, trying again only costs.
_WORTH_WAITING_S = 60
_CONCURRENCY_RETRY_S = 1
_SHOWN = ("requests", "tokens")


def standing(claims: Sequence[Claim], used: Sequence[int], now: float) -> dict[str, str]:
    """OpenAI's x-ratelimit-* headers, of the level with the least left."""
    headers: dict[str, str] = {}
    for kind in _SHOWN:
        levels = [
            (max(0, claim.level.limit - count), claim.span.end, claim.level.limit)
            for claim, count in zip(claims, used, strict=True)
            if claim.level.kind == kind
        ]
        if levels:
            remaining, end, limit = min(levels)
            headers[f"x-ratelimit-limit-{kind}"] = str(limit)
            headers[f"x-ratelimit-remaining-{kind}"] = str(remaining)
            headers[f"x-ratelimit-reset-{kind}"] = f"{left(end, now)}s"
    return headers


def left(end: int, now: float) -> int:
    """Whole seconds until the end of a window, at least one."""
    return max(1, round(end - now))


def refused(refusal: Refusal, now: float, calendar: Calendar) -> RateLimited:
    """The error for a refusal."""
    claim, level = refusal.claim, refusal.claim.level
    headers = standing(refusal.claims, refusal.used, now)
    what = f"The {level.title or 'key'}'s limit of {amount(claim, level.limit)}"
    if level.kind == "concurrency":
        message = f"{what} at the same time is reached. Try again when one of them has ended."
        return RateLimited(message, headers={**headers, "retry-after": str(_CONCURRENCY_RETRY_S)})
    budget = level.window in BUDGETS
    kind = QuotaExceeded if budget else RateLimited
    if claim.hold.amount > level.limit:
        message = (
            f"This request may need {amount(claim, claim.hold.amount)}, more than the {level.title or 'key'}'s "
            f"{amount(claim, level.limit)} per {level.window}. Shorten it or lower max_tokens."
        )
        return kind(message, code="request_exceeds_limit", headers={**headers, "x-should-retry": "false"})
    wait = left(claim.span.end, now)
    headers["retry-after"] = str(wait)
    if wait > _WORTH_WAITING_S:
        headers["x-should-retry"] = "false"
    if not budget:
        return kind(f"{what} per {level.window} is reached. Try again in {wait} s.", headers=headers)
    opens = datetime.fromtimestamp(claim.span.end, calendar.zone).strftime("%Y-%m-%d %H:%M")
    return kind(
        f"{what} per {level.window} is used up or reserved by requests under way. A new {level.window} begins at {opens} "
        f"({calendar.zone.key}); the gateway's operators can raise the limit.",
        headers=headers,
    )


def amount(claim: Claim, number: int) -> str:
    """A number of a level's kind, as people write it."""
    if claim.level.kind == "micro_yen":
        return f"{number / MICRO:.6f}".rstrip("0").rstrip(".") + " yen"
    return f"{number} {'requests' if claim.level.kind == 'concurrency' else claim.level.kind}"
