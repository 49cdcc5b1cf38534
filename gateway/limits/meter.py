"""Admission of one request: reserve on arrival, tell the standing in headers, settle what was really used."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.errors import Unavailable
from gateway.ledger.prices import Price, Prices
from gateway.ledger.store import NOTHING, Charge
from gateway.limits.refusals import refused, standing
from gateway.limits.spec import Limited, Rules, levels
from gateway.limits.window import Calendar, Claim, Kind, Level, LimitStore, Refusal, Reservation

# Reserved for an answer whose request names no max_tokens; the real number replaces it when the answer ends.
DEFAULT_ANSWER_TOKENS = 1024
MEDIA_TOKENS = 1500  # an image inside the body: what vision models make of one, roughly
LEASE_S = 60.0
RENEW_S = 15.0  # leases are renewed, and expired ones looked for, so often
_KEYS_REMEMBERED = 10_000
_TRIES = 3


class Books(Protocol):
    """The ledger, as far as the meter asks it (``gateway.ledger.store.Ledger``). Synchronous."""

    def used(self, claims: Sequence[Claim]) -> list[int]: ...

    def charges(self, request_ids: list[str]) -> dict[str, Charge]: ...


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that was let in. ``day``: in the books' time zone; tokens as estimated; ``reservation`` None: no limits."""

    at: float
    day: str
    price: Price
    prompt_tokens: int
    answer_tokens: int
    reservation: Reservation | None

    @property
    def lost_micro_yen(self) -> int:
        return self.price.cost(self.prompt_tokens, 0)

    @property
    def reserved_micro_yen(self) -> int:
        return self.price.cost(self.prompt_tokens, self.answer_tokens)


class Meter:
    """Reserves and settles against a store. Keys without limits cost nothing: no await, no row."""

    def __init__(
        self,
        store: LimitStore,
        clock: Callable[[], float] = time.time,
        *,
        books: Books | None = None,
        prices: Prices | None = None,
        calendar: Calendar | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.store, self._clock, self._books = store, clock, books
        self.prices, self.calendar, self.rules = prices or Prices({}), calendar or Calendar(), rules or Rules()
        self._levels: dict[tuple[str, tuple[str, ...]], tuple[Limited, tuple[Level, ...]]] = {}
        self._live: set[str] = set()
        self._keeper: asyncio.Task[None] | None = None

    def configure(self, rules: Rules, prices: Prices) -> None:
        """From the next request on, these hold; those under way keep what they were let in by."""
        self.rules, self.prices, self._levels = rules, prices, {}

    # -- one request --------------------------------------------------------------------------------------------------

    async def admit(
        self,
        key: Limited,
        prompt_guess: Callable[[], int],
        answer_tokens: int | None,
        *,
        lease: str = "",
        models: tuple[str, ...] = (),
    ) -> Admission:
        """Admit a request or raise RateLimited (QuotaExceeded for a budget), Unavailable.

        ``answer_tokens``: the most the request allows its answer (None: it does not say); ``lease``: the request's id;
        ``models``: the model as asked and as resolved.
        """
        now, prompt, price = self._clock(), prompt_guess(), self.prices.of(*models)
        answer = DEFAULT_ANSWER_TOKENS if answer_tokens is None else answer_tokens
        reservation = None
        if limits := self.levels(key, models):
            if answer_tokens is None:  # a guess alone must not lock a small key out
                smallest = min((level.limit for level in limits if level.kind == "tokens"), default=prompt + answer)
                answer = max(0, min(answer, smallest - prompt))
            lost, most = (
                _amounts(prompt, price.cost(prompt, 0)),
                _amounts(prompt + answer, price.cost(prompt, answer), 1),
            )
            claims = self.claims(limits, now, most, lost)
            reservation = await self._reserve(lease or secrets.token_hex(8), claims, now)
        return Admission(now, self.calendar.date(now), price, prompt, answer, reservation)

    async def settle(self, admission: Admission | None, tokens: int, micro_yen: int = 0, *, known: bool = True) -> None:
        """Charge what the ledger charges. Not ``known``: nobody counted; what was reserved in this minute then stands."""
        if admission is None or admission.reservation is None:
            return
        reservation = admission.reservation
        real = _amounts(tokens, micro_yen)
        charges = [
            (claim.hold, real[claim.level.kind] if known or not _of_minute(claim) else claim.hold.amount)
            for claim in reservation.claims
        ]
        self._live.discard(reservation.lease)
        await self.store.settle(reservation.lease, charges)

    def headers(self, reservation: Reservation | None) -> dict[str, str]:
        if reservation is None:
            return {}
        return standing(reservation.claims, reservation.used, self._clock())

    def levels(self, key: Limited, models: tuple[str, ...]) -> tuple[Level, ...]:
        """All limits that hold for a key on a model; worked out once as long as the key's record is the same."""
        known = self._levels.get((key.id, models))
        if known is None or known[0] is not key:
            if len(self._levels) >= _KEYS_REMEMBERED:
                self._levels.clear()
            known = self._levels[key.id, models] = (key, levels(key, models, self.rules))
        return known[1]

    def claims(
        self, limits: Sequence[Level], now: float, most: dict[Kind, int], lost: dict[Kind, int]
    ) -> tuple[Claim, ...]:
        return tuple(
            Claim.of(level, self.calendar.span(level.window, now), most[level.kind], lost[level.kind])
            for level in limits
        )

    async def standing(self, limits: Sequence[Level]) -> list[tuple[Claim, int]]:
        """What is used of each level now, for those who look after the limits; nothing is reserved."""
        now, nothing = self._clock(), _amounts(0, 0)
        claims = self.claims(limits, now, nothing, nothing)
        used = await self.store.used(claims)
        if unseeded := [c for c, count in zip(claims, used, strict=True) if count is None and c.level.window != "now"]:
            await self._seed([claim for claim in unseeded if claim.level.window != "minute"], now)
            used = await self.store.used(claims)
        return [(claim, count or 0) for claim, count in zip(claims, used, strict=True)]

    # -- the store ----------------------------------------------------------------------------------------------------

    async def _reserve(self, lease: str, claims: tuple[Claim, ...], now: float) -> Reservation:
        for _ in range(_TRIES):
            outcome = await self.store.reserve(lease, claims, now, now + LEASE_S)
            if isinstance(outcome, Reservation):
                self._live.add(lease)
                return outcome
            if isinstance(outcome, Refusal):
                raise refused(outcome, now, self.calendar)
            await self._seed(outcome.claims, now)
        raise Unavailable("The store of the rate limits forgets its rows.", code="limits_unavailable")

    async def _seed(self, claims: Sequence[Claim], now: float) -> None:
        """Budgets that the store does not know (a new window, a restart) begin with what the ledger holds."""
        if claims:
            used = await asyncio.to_thread(self._books.used, claims) if self._books else [0] * len(claims)
            await self.store.seed(list(zip(claims, used, strict=True)), now)

    # -- leases -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Keep leases alive and take back expired ones, in the background."""
        self._keeper = asyncio.create_task(self._keep(), name="lease-keeper")

    async def close(self) -> None:
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self.store.close()

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):  # requests are refused meanwhile; the next round tries again
                await self.keep()
            await asyncio.sleep(RENEW_S)

    async def keep(self) -> None:
        """Renew the leases of requests under way; settle those that nobody renewed, as the ledger has them."""
        now = self._clock()
        await self.store.renew(list(self._live), now + LEASE_S)
        if over := [lease for lease in await self.store.expired(now) if lease.id not in self._live]:
            ids = [lease.id for lease in over]
            charges = await asyncio.to_thread(self._books.charges, ids) if self._books else {}
            for lease in over:
                charge = charges.get(lease.id, NOTHING)
                await self.store.release(lease, [_of(charge, hold.kind, lease.id in charges) for hold in lease.holds])


def _amounts(tokens: int, micro_yen: int, concurrency: int = 0) -> dict[Kind, int]:
    return {"requests": 1, "tokens": tokens, "micro_yen": micro_yen, "concurrency": concurrency}


def _of(charge: Charge, kind: Kind, known: bool) -> int:
    """A request that never reached the ledger costs nothing, not even itself."""
    return charge.of(kind) if known else 0


def _of_minute(claim: Claim) -> bool:
    return claim.level.window == "minute" and claim.level.kind == "tokens"


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
