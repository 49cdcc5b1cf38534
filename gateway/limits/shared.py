"""The windows of several gateways, in Redis or Valkey: one Lua script per step, so each step is atomic.

Every gateway reads and writes the same counters (litellm#27736: local ones multiply the limit by the replicas). When
Redis is gone, keys with limits are refused with 503: a limit that silently stops to count is none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from gateway.errors import Unavailable
from gateway.limits.window import WINDOW_S, Level, Refusal, Reservation, Used, window_start

TIMEOUT_S = 2.0
CONNECTIONS = 32  # a request more waits for its turn
_NO_LIMIT = -1

# KEYS: one hash per level. ARGV: tokens, seconds to live, then rpm and tpm of each level (-1: none).
# Returns: index of the refusing level (0: admitted), 1 requests | 2 tokens, then requests and tokens used per level.
_RESERVE = """
local tokens, ttl, refused, kind = tonumber(ARGV[1]), tonumber(ARGV[2]), 0, 0
local used = {}
for i, key in ipairs(KEYS) do
  local rpm, tpm = tonumber(ARGV[1 + 2 * i]), tonumber(ARGV[2 + 2 * i])
  local row = redis.call('HMGET', key, 'r', 't')
  used[2 * i - 1], used[2 * i] = tonumber(row[1] or 0), tonumber(row[2] or 0)
  if refused == 0 then
    if rpm >= 0 and used[2 * i - 1] + 1 > rpm then refused, kind = i, 1
    elseif tpm >= 0 and used[2 * i] + tokens > tpm then refused, kind = i, 2 end
  end
end
if refused == 0 then
  for i, key in ipairs(KEYS) do
    used[2 * i - 1] = redis.call('HINCRBY', key, 'r', 1)
    used[2 * i] = redis.call('HINCRBY', key, 't', tokens)
    redis.call('EXPIRE', key, ttl)
  end
end
local answer = {refused, kind}
for i = 1, #used do answer[2 + i] = used[i] end
return answer
"""

# A window that has passed is gone; settling must not bring it back without its count of requests.
_SETTLE = """
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then redis.call('HINCRBY', key, 't', tonumber(ARGV[1])) end
end
return 1
"""


class RedisLimits:
    """Windows as Redis hashes ``{kakehashi}:limit:<level>:<start>``; they die by themselves after two windows."""

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            decode_responses=True,
        )
        self._redis: Any = Redis.from_pool(pool)
        self._reserve = self._redis.register_script(_RESERVE)
        self._settle = self._redis.register_script(_SETTLE)

    async def reserve(self, levels: Sequence[Level], tokens: int, now: float) -> Reservation | Refusal:
        start = window_start(now)
        limits = [_NO_LIMIT if limit is None else limit for level in levels for limit in (level.rpm, level.tpm)]
        answer = await self._run(
            self._reserve(keys=[_row(level, start) for level in levels], args=[tokens, 2 * WINDOW_S, *limits])
        )
        refused, kind, *counts = (int(number) for number in answer)
        used = tuple(Used(level, *counts[2 * i : 2 * i + 2]) for i, level in enumerate(levels))
        if refused:
            return Refusal(levels[refused - 1], "requests" if kind == 1 else "tokens", start, used)
        return Reservation(tuple(levels), start, tokens, used)

    async def settle(self, reservation: Reservation, tokens: int) -> None:
        rows = [_row(level, reservation.start) for level in reservation.levels]
        if tokens != reservation.tokens:
            await self._run(self._settle(keys=rows, args=[tokens - reservation.tokens]))

    async def ping(self) -> None:
        await self._run(self._redis.ping())

    async def close(self) -> None:
        await self._redis.aclose()

    async def _run(self, call: Awaitable[Any]) -> list[Any]:
        try:
            return cast(list[Any], await call)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(
                f"The store of the rate limits cannot be reached ({type(error).__name__}).", code="limits_unavailable"
            ) from error


def _row(level: Level, start: int) -> str:
    return f"{{kakehashi}}:limit:{level.name}:{start}"
