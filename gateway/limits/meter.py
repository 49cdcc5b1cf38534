"""Admission of one request: reserve on arrival, tell the standing in headers, settle what was really used."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gateway.errors import RateLimited
from gateway.identity.model import VirtualKey
from gateway.limits.window import WINDOW_S, Level, LimitStore, Refusal, Reservation, Used

# Reserved for an answer whose request names no max_tokens; the real number replaces it when the answer ends.
DEFAULT_ANSWER_TOKENS = 1024
MEDIA_TOKENS = 1500  # an image inside the body: what vision models make of one, roughly


class Meter:
    """Reserves and settles against a store. Keys without limits cost nothing."""

    def __init__(self, store: LimitStore, clock: Callable[[], float] = time.time) -> None:
        self.store, self._clock = store, clock

    async def reserve(
        self, key: VirtualKey, prompt_guess: Callable[[], int], answer_tokens: int | None
    ) -> Reservation | None:
        """Admit a request or raise RateLimited. None for a key without limits.

        ``answer_tokens``: the most the request allows its answer (None: it does not say).
        """
        if key.rpm is None and key.tpm is None:
            return None
        prompt_tokens = prompt_guess()
        tokens = prompt_tokens + (DEFAULT_ANSWER_TOKENS if answer_tokens is None else answer_tokens)
        if answer_tokens is None and key.tpm is not None:
            tokens = max(prompt_tokens, min(tokens, key.tpm))  # a guess alone must not lock a small key out
        outcome = await self.store.reserve([Level(f"key:{key.id}", key.rpm, key.tpm)], tokens, self._clock())
        if isinstance(outcome, Refusal):
            raise self._refused(outcome, tokens)
        return outcome

    async def settle(self, reservation: Reservation | None, tokens: int | None) -> None:
        """Charge the real tokens. ``None`` means nobody knows: the reservation then stands."""
        if reservation is not None and tokens is not None:
            await self.store.settle(reservation, tokens)

    def headers(self, reservation: Reservation | None) -> dict[str, str]:
        if reservation is None:
            return {}
        return _standing(reservation.used, self._left(reservation.start))

    def _left(self, start: int) -> int:
        return max(1, round(start + WINDOW_S - self._clock()))

    def _refused(self, refusal: Refusal, tokens: int) -> RateLimited:
        level, left = refusal.level, self._left(refusal.start)
        standing = _standing(refusal.used, left)
        if refusal.kind == "tokens" and level.tpm is not None and tokens > level.tpm:
            return RateLimited(
                f"This request may need {tokens} tokens, more than the key's {level.tpm} tokens per minute. "
                "Shorten it or lower max_tokens.",
                code="request_exceeds_limit",
                headers={**standing, "x-should-retry": "false"},
            )
        limit = level.rpm if refusal.kind == "requests" else level.tpm
        return RateLimited(
            f"The key's limit of {limit} {refusal.kind} per minute is reached. Try again in {left} s.",
            headers={**standing, "retry-after": str(left)},
        )


def _standing(used: tuple[Used, ...], left: int) -> dict[str, str]:
    """OpenAI's x-ratelimit-* headers, of the level with the least left."""
    headers: dict[str, str] = {}
    for kind, limits in (
        ("requests", [(u.level.rpm, u.requests) for u in used if u.level.rpm is not None]),
        ("tokens", [(u.level.tpm, u.tokens) for u in used if u.level.tpm is not None]),
    ):
        if limits:
            remaining, limit = min((max(0, limit - count), limit) for limit, count in limits)
            headers[f"x-ratelimit-limit-{kind}"] = str(limit)
            headers[f"x-ratelimit-remaining-{kind}"] = str(remaining)
            headers[f"x-ratelimit-reset-{kind}"] = f"{left}s"
    return headers


def estimate_tokens(value: Any) -> int:
    """A quick guess of the tokens in the texts of a JSON value, on the safe side.

    About one token per Japanese character and per 3 ASCII characters (Qwen's tokeniser needs fewer of both).
    """
    total, stack = 0, [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str) and item.startswith("data:"):
            total += MEDIA_TOKENS
        elif isinstance(item, str):
            wide = 0 if item.isascii() else (len(item.encode("utf-8", "replace")) - len(item)) // 2
            total += min(wide, len(item)) + max(0, len(item) - wide) // 3 + 1
        elif isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return total
