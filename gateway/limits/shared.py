"""The windows of several gateways, in Redis or Valkey: one Lua script per step, so each step is atomic.

Every gateway reads and writes the same counters (litellm#27736: local ones multiply the limit by the replicas). When
Redis is gone, keys with limits are refused with 503: a limit that silently stops to count is none. When it comes back
empty, budgets are seeded again from the ledger. Run it with ``maxmemory-policy noeviction``: an evicted row is a lost count.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from itertools import chain
from typing import Any, cast

import orjson
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from gateway.errors import Unavailable
from gateway.limits.window import BUDGETS, KEEP_S, Claim, Hold, Lease, Refusal, Reservation, Unseeded

TIMEOUT_S = 2.0
CONNECTIONS = 32  # a request more waits for its turn
PREFIX = "{kakehashi}:limit"  # the braces keep all keys in one slot of a cluster, as scripts demand
_FOREVER_S = 30 * 86_400  # a row without a window, since its last use
_AT_ONCE = 100

# A row is a hash: s settled, r reserved. KEYS: leases by expiry, what they hold, then the rows.

# ARGV: lease, its expiry, what it holds, then of each row: amount, limit, seconds to live, 1 if it must be seeded.
# Returns {0, used…} when admitted, {i, used…} when row i refuses, {-1, i…} when rows must be seeded first.
_RESERVE = """
local refused, used, missing = 0, {}, {-1}
for i = 3, #KEYS do
  local at, row = 4 * (i - 3) + 4, redis.call('HMGET', KEYS[i], 's', 'r')
  if not row[1] and ARGV[at + 3] == '1' then missing[#missing + 1] = i - 2 end
  used[i - 2] = tonumber(row[1] or 0) + tonumber(row[2] or 0)
  if refused == 0 and used[i - 2] + tonumber(ARGV[at]) > tonumber(ARGV[at + 1]) then refused = i - 2 end
end
if #missing > 1 then return missing end
if refused == 0 then
  for i = 3, #KEYS do
    local at = 4 * (i - 3) + 4
    redis.call('HSETNX', KEYS[i], 's', 0)
    redis.call('HINCRBY', KEYS[i], 'r', ARGV[at])
    redis.call('EXPIRE', KEYS[i], ARGV[at + 2])
    used[i - 2] = used[i - 2] + tonumber(ARGV[at])
  end
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
end
local answer = {refused}
for i = 1, #used do answer[i + 1] = used[i] end
return answer
"""

# ARGV: of each row the amount settled and its seconds to live. KEYS: the rows.
_SEED = """
for i, key in ipairs(KEYS) do
  if redis.call('HSETNX', key, 's', ARGV[2 * i - 1]) == 1 then redis.call('EXPIRE', key, ARGV[2 * i]) end
end
return 1
"""

# ARGV: lease, 1 when only a live lease may be settled, then of each row: amount held, charged if lost, really used.
# A window that has passed is gone; settling must not bring it back.
_SETTLE = """
local live = redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
if live == 0 and ARGV[2] == '1' then return 0 end
for i = 3, #KEYS do
  local at = 3 * (i - 3) + 3
  if redis.call('EXISTS', KEYS[i]) == 1 then
    if live == 1 then
      redis.call('HINCRBY', KEYS[i], 'r', string.format('%d', -tonumber(ARGV[at])))
      redis.call('HINCRBY', KEYS[i], 's', ARGV[at + 2])
    else
      redis.call('HINCRBY', KEYS[i], 's', string.format('%d', ARGV[at + 2] - ARGV[at + 1]))
    end
  end
end
return 1
"""


class RedisLimits:
    """Rows as hashes ``{kakehashi}:limit:<scope>:<kind>:<window>:<start>``; they die by themselves after their window."""

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            decode_responses=True,
        )
        self._redis: Any = Redis.from_pool(pool)
        self._prefix, self._leases, self._held = prefix, f"{prefix}:leases", f"{prefix}:held"
        self._reserve, self._seed, self._settle = map(self._redis.register_script, (_RESERVE, _SEED, _SETTLE))

    async def reserve(
        self, lease: str, claims: Sequence[Claim], now: float, until: float
    ) -> Reservation | Refusal | Unseeded:
        held = orjson.dumps([[c.hold.row, c.hold.kind, c.hold.amount, c.hold.lost] for c in claims])
        asked = ((c.hold.amount, c.level.limit, _seconds(c, now), int(c.level.window in BUDGETS)) for c in claims)
        answer = await self._run(
            self._reserve(
                keys=self._keys([c.hold for c in claims]), args=[lease, until, held, *chain.from_iterable(asked)]
            )
        )
        refused, *numbers = (int(number) for number in answer)
        if refused < 0:
            return Unseeded(tuple(claims[i - 1] for i in numbers))
        if refused:
            return Refusal(claims[refused - 1], tuple(claims), tuple(numbers))
        return Reservation(lease, tuple(claims), tuple(numbers))

    async def seed(self, used: Sequence[tuple[Claim, int]], now: float) -> None:
        amounts = ((amount, _seconds(claim, now)) for claim, amount in used)
        keys = [self._key(claim.hold) for claim, _ in used]
        await self._run(self._seed(keys=keys, args=list(chain.from_iterable(amounts))))

    async def settle(self, lease: str, charges: Sequence[tuple[Hold, int]]) -> None:
        await self._settled(lease, charges, only_live=False)

    async def release(self, lease: Lease, charges: Sequence[int]) -> None:
        await self._settled(lease.id, list(zip(lease.holds, charges, strict=True)), only_live=True)

    async def _settled(self, lease: str, charges: Sequence[tuple[Hold, int]], *, only_live: bool) -> None:
        numbers = ((hold.amount, hold.lost, actual) for hold, actual in charges)
        keys = self._keys([hold for hold, _ in charges])
        await self._run(self._settle(keys=keys, args=[lease, int(only_live), *chain.from_iterable(numbers)]))

    async def renew(self, leases: Sequence[str], until: float) -> None:
        if leases:
            await self._run(self._redis.zadd(self._leases, dict.fromkeys(leases, until), xx=True))

    async def expired(self, now: float) -> list[Lease]:
        over = await self._run(self._redis.zrangebyscore(self._leases, "-inf", now, start=0, num=_AT_ONCE))
        if not over:
            return []
        held = await self._run(self._redis.hmget(self._held, over))
        return [
            Lease(lease, tuple(Hold(*hold) for hold in orjson.loads(text or "[]")))
            for lease, text in zip(over, held, strict=True)
        ]

    async def used(self, claims: Sequence[Claim]) -> list[int | None]:
        pipeline = self._redis.pipeline(transaction=False)
        for claim in claims:
            pipeline.hmget(self._key(claim.hold), "s", "r")
        rows = await self._run(pipeline.execute())
        return [None if settled is None else int(settled) + int(reserved or 0) for settled, reserved in rows]

    async def ping(self) -> None:
        await self._run(self._redis.ping())

    async def close(self) -> None:
        await self._redis.aclose()

    def _keys(self, holds: Sequence[Hold]) -> list[str]:
        return [self._leases, self._held, *map(self._key, holds)]

    def _key(self, hold: Hold) -> str:
        return f"{self._prefix}:{hold.row}"

    async def _run(self, call: Awaitable[Any]) -> list[Any]:
        try:
            return cast(list[Any], await call)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(
                f"The store of the rate limits cannot be reached ({type(error).__name__}).", code="limits_unavailable"
            ) from error


def _seconds(claim: Claim, now: float) -> int:
    """How long a row lives from now."""
    return max(1, int(claim.span.end - now) + KEEP_S) if claim.span.end else _FOREVER_S
