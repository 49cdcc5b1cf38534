"""Closed-loop load: so many clients, each sending its next request when the last answer is complete."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True)
class Target:
    """Where the requests go, and with which key and model."""

    name: str
    url: str
    key: str
    model: str
    pid: int | None = None  # of the process whose CPU time counts


@dataclass(frozen=True)
class Figures:
    """Milliseconds, requests per second, CPU microseconds of the target's process per request."""

    p50: float
    p99: float
    rate: float
    cpu_us: float | None
    errors: int


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def middle(rounds: list[Figures]) -> Figures:
    """The median of each figure over several rounds."""
    cpu = [r.cpu_us for r in rounds if r.cpu_us is not None]
    return Figures(
        statistics.median(r.p50 for r in rounds),
        statistics.median(r.p99 for r in rounds),
        statistics.median(r.rate for r in rounds),
        statistics.median(cpu) if cpu else None,
        sum(r.errors for r in rounds),
    )


def _cpu_seconds(pid: int | None) -> float | None:
    if pid is None:
        return None
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def measure(target: Target, body: dict[str, object], clients: int, seconds: float) -> Figures:
    """One round."""
    times: list[float] = []
    errors = 0
    end = time.perf_counter() + seconds
    headers = {"authorization": f"Bearer {target.key}"}
    payload = {**body, "model": target.model}

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal errors
        while (began := time.perf_counter()) < end:
            async with session.post(target.url + "/chat/completions", json=payload) as answer:
                await answer.read()
                errors += answer.status != 200
            times.append(time.perf_counter() - began)

    before = _cpu_seconds(target.pid)
    began = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
    took, after = time.perf_counter() - began, _cpu_seconds(target.pid)
    cpu = (after - before) / len(times) * 1e6 if before is not None and after is not None else None
    milliseconds = [value * 1000 for value in times]
    return Figures(percentile(milliseconds, 0.5), percentile(milliseconds, 0.99), len(times) / took, cpu, errors)
