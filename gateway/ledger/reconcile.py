"""The ledger against the engines' own counters of tokens, since the last reading: what we billed, and what they did.

vLLM counts ``vllm:prompt_tokens_total`` and ``vllm:generation_tokens_total`` per model. The two agree to the token when
nothing was under way at either reading. They differ, and the report says how many rows may explain it, for requests that
were cut before the engine told their usage (``inexact``), under way (``open``) or lost with a process (``lost``); for
``n`` > 1, where the engine counts the prompt n times; and for whoever uses the engine past the gateway.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from gateway.ledger.tables import LEDGER, READINGS
from gateway.routing.upstream import Upstream
from gateway.storage.database import available

_PROMPT, _GENERATION = "vllm:prompt_tokens_total", "vllm:generation_tokens_total"
_TIMEOUT_S = 10.0
Counters = dict[str, tuple[int, int]]  # by model: prompt and generated tokens


@dataclass(frozen=True, slots=True)
class Reading:
    """An engine's counters at a moment; None: it has none, or could not be asked (``problem``)."""

    upstream: str
    at_ms: int
    counters: Counters | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Billed:
    """What the ledger's rows of one upstream come to."""

    prompt: int = 0
    completion: int = 0
    requests: int = 0
    inexact: int = 0


def parse(text: str) -> Counters | None:
    """The counters of a /metrics page, over all engines of a server; None when it has no such counters."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in (_PROMPT, _GENERATION):
                found[sample.labels.get("model_name", "")][sample.name == _GENERATION] += int(sample.value)
    return {model: (prompt, generated) for model, (prompt, generated) in found.items()} or None


def grown(before: Counters, now: Counters) -> tuple[int, int, bool]:
    """Tokens since the reading before, and whether the engine was started anew meanwhile: it then counts from zero."""
    anew = any(now.get(model, (0, 0)) < counts for model, counts in before.items() if counts != (0, 0))
    base: Mapping[str, tuple[int, int]] = {} if anew else before
    totals = [sum(counts[i] for counts in now.values()) - sum(base.get(m, (0, 0))[i] for m in now) for i in (0, 1)]
    return totals[0], totals[1], anew


async def read(upstreams: Iterable[Upstream]) -> list[Reading]:
    """The counters of all upstreams, asked at the same time."""
    return list(await asyncio.gather(*(_read(upstream) for upstream in upstreams)))


async def _read(upstream: Upstream) -> Reading:
    at_ms = int(time.time() * 1000)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            async with upstream.session.get(upstream.url("../metrics"), allow_redirects=False) as answer:
                if answer.status != 200:
                    return Reading(upstream.name, at_ms, None, f"answers {answer.status} to /metrics")
                counters = parse(await answer.text())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return Reading(upstream.name, at_ms, None, f"cannot be asked ({type(error).__name__})")
    return Reading(upstream.name, at_ms, counters, "" if counters else "has no vLLM counters of tokens")


class Readings:
    """Earlier readings, and the ledger between two of them. Synchronous."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def compare(self, readings: Sequence[Reading]) -> list[dict[str, Any]]:
        """One row for each upstream: since when, what the engine counted, what the ledger holds, the difference."""
        with available(), self._engine.connect() as connection:
            return [self._compared(connection, reading) for reading in readings]

    def keep(self, readings: Sequence[Reading]) -> None:
        """From these readings the next comparison counts."""
        rows = [
            {"upstream": r.upstream, "at_ms": r.at_ms, "counters": r.counters}
            for r in readings
            if r.counters is not None
        ]
        if rows:
            with available(), self._engine.begin() as connection:
                connection.execute(sa.insert(READINGS), rows)

    def _compared(self, connection: sa.Connection, now: Reading) -> dict[str, Any]:
        row: dict[str, Any] = {
            "upstream": now.upstream,
            "until": _time(now.at_ms),
            "since": None,
            "problem": now.problem,
        }
        before = _last(connection, now.upstream)
        if now.counters is None or before is None:
            row["problem"] = now.problem or "there is no earlier reading: this one can be the first"
            return row
        prompt, generated, anew = grown(before.counters or {}, now.counters)
        billed = _billed(connection, now.upstream, before.at_ms, now.at_ms)
        return row | {
            "since": _time(before.at_ms),
            "engine": {"prompt_tokens": prompt, "completion_tokens": generated},
            "ledger": {"prompt_tokens": billed.prompt, "completion_tokens": billed.completion},
            "difference": {"prompt_tokens": prompt - billed.prompt, "completion_tokens": generated - billed.completion},
            "requests": billed.requests,
            "inexact": billed.inexact,
            "open": _count(connection, LEDGER.c.state == "started"),
            "lost": _count(connection, LEDGER.c.state == "lost", LEDGER.c.settled_ms > before.at_ms),
            "engine_started_anew": anew,
        }


def _last(connection: sa.Connection, upstream: str) -> Reading | None:
    query = sa.select(READINGS).where(READINGS.c.upstream == upstream).order_by(READINGS.c.at_ms.desc()).limit(1)
    found = connection.execute(query).first()
    if found is None:
        return None
    return Reading(upstream, found.at_ms, {model: (int(p), int(g)) for model, (p, g) in found.counters.items()})


def _billed(connection: sa.Connection, upstream: str, after_ms: int, until_ms: int) -> Billed:
    rows = LEDGER.c
    query = sa.select(
        sa.func.sum(rows.prompt_tokens),
        sa.func.sum(rows.completion_tokens),
        sa.func.count(),
        sa.func.sum(sa.case((rows.exact, 0), else_=1)),
    ).where(rows.upstream == upstream, rows.settled_ms > after_ms, rows.settled_ms <= until_ms)
    return Billed(*(int(number or 0) for number in connection.execute(query).one()))


def _count(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(LEDGER).where(*conditions)).scalar() or 0)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
