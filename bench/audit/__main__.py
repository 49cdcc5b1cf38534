"""``python -m bench.audit verify`` and ``python -m bench.audit write``: rates of the audit log on this machine.

``verify`` writes a log of realistic records (with bodies or without), then checks it as `kakehashi audit verify` does,
and hashes the same bytes bare in the same run. ``write`` measures group commit: durable records a second when 1, 16 or
64 requests wait at the same time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import sqlalchemy as sa

from gateway.audit.crypto import Signer
from gateway.audit.log import AuditLog
from gateway.audit.record import Intent, Outcome
from gateway.audit.store import AuditStore, open_engine
from gateway.audit.verify import Options, verify
from gateway.audit.writer import Heads, Writer, draft
from gateway.storage.schema import prepare
from kakehashi.paths import Home

DECISIONS = [
    {"stage": "input", "rule": "pii.person", "kind": "PERSON", "action": "mask", "count": 2, "confidence": 0.93, "shadow": False},
    {"stage": "input", "rule": "pii.phone", "kind": "PHONE", "action": "mask", "count": 1, "confidence": 1.0, "shadow": False},
]  # fmt: skip


def intent(number: int, body: bytes) -> Intent:
    return Intent(
        request_id=f"req_{number:032x}", surface="chat", key_id=f"key_{number % 40:016x}", team=f"第{number % 20}営業部",
        user=f"user{number % 500}@bank.example", app="minutes", job=f"job_{number // 30:016x}", model="default",
        prompt="minutes.points@3", policy="default@12", profile="minutes", body=body,
    )  # fmt: skip


def outcome(number: int, body: bytes) -> Outcome:
    return Outcome(
        request_id=f"req_{number:032x}", outcome="ok", status=200, upstream="engine", upstream_model="qwen2.5-1.5b",
        prompt_tokens=1200, completion_tokens=250, latency_ms=1834.221, ttft_ms=212.5, finish_reason="stop",
        decisions=DECISIONS if number % 3 == 0 else [], body=body,
    )  # fmt: skip


@contextmanager
def place(postgres: str | None) -> Iterator[tuple[Home, str]]:
    """A home, and the URL of a database, both removed afterwards. The home lies on the disk of the checkout, not in memory."""
    root = Path(tempfile.mkdtemp(prefix="bench-audit-", dir=Path(__file__).parent.parent.parent / "var"))
    home = Home(root).make()
    if postgres is None:
        yield home, f"sqlite:///{home.gateway_db}"
        shutil.rmtree(root)
        return
    admin, schema = sa.create_engine(postgres), f"bench_audit_{os.getpid()}"
    with admin.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    try:
        yield home, f"{postgres}?options=-csearch_path%3D{schema}"
    finally:
        with admin.begin() as connection:
            connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))
        shutil.rmtree(root)


@click.group()
def bench() -> None:
    """Rates of the audit log."""


@bench.command("verify")
@click.option("--records", default=1_000_000, show_default=True)
@click.option("--body", "body_bytes", default=0, show_default=True, help="Bytes of each body.")
@click.option("--postgres", help="postgresql+psycopg://… instead of SQLite.")
@click.option("--jobs", default="1,2", show_default=True)
@click.option("--rounds", default=3, show_default=True)
def verify_(records: int, body_bytes: int, postgres: str | None, jobs: str, rounds: int) -> None:
    """Records verified a second, and the share of the bare hash's speed."""
    with place(postgres) as (home, url):
        store = AuditStore(open_engine(url))
        store.create()
        signer = Signer.open(home.secrets)
        _fill(store, home, records, os.urandom(body_bytes))
        heads = Heads(home.root / "audit", signer).read()
        for _ in range(rounds):
            for count in map(int, jobs.split(",")):
                started, cpu = time.perf_counter(), time.process_time()
                report = verify(store, heads, signer, options=Options(jobs=count))
                took = time.perf_counter() - started
                assert report.ok and report.entries >= records
                bare = _bare(report.entries, report.bytes)
                own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
                print(
                    f"jobs {count}: {report.entries / took:,.0f} records/s, {report.bytes / took / 1e6:,.0f} MB/s; "
                    f"bare SHA-256 of the same bytes {bare / took:.1%} of the time; CPU here {time.process_time() - cpu:.1f} s "
                    f"of {took:.1f} s; peak {own} MB",
                    flush=True,
                )
        store.engine.dispose()


def _fill(store: AuditStore, home: Home, records: int, body: bytes) -> None:
    writer = Writer(store, home, "gateway", keep_bodies=bool(body), heads_by_owner=True)
    started = time.perf_counter()
    for first in range(0, records // 2, 250):
        writer.append([
            draft(record, "t")
            for number in range(first, min(first + 250, records // 2))
            for record in (intent(number, body), outcome(number, body))
        ])  # fmt: skip
    writer.close()
    print(f"{records:,} records written in {time.perf_counter() - started:.0f} s (500 a commit)", flush=True)


def _bare(entries: int, total: int) -> float:
    """Seconds that hashing alone takes: as many messages of the same mean size."""
    message = os.urandom(max(1, total // entries))
    started = time.perf_counter()
    for _ in range(entries):
        hashlib.sha256(message).hexdigest()
    return time.perf_counter() - started


@bench.command()
@click.option("--seconds", default=5.0, show_default=True, help="Of each measurement.")
@click.option("--body", "body_bytes", default=4000, show_default=True, help="Bytes of each body.")
@click.option("--postgres", help="postgresql+psycopg://… instead of SQLite.")
@click.option("--waiting", default="1,16,64", show_default=True)
def write(seconds: float, body_bytes: int, postgres: str | None, waiting: str) -> None:
    """Durable records a second by how many requests wait together."""
    body = os.urandom(body_bytes)
    for count in map(int, waiting.split(",")):
        with place(postgres) as (home, url):
            engine = open_engine(url)
            prepare(engine)
            engine.dispose()
            asyncio.run(_write(AuditLog(url, home), count, seconds, body))


async def _write(log: AuditLog, count: int, seconds: float, body: bytes) -> None:
    await log.start()
    first = log.chain.head[0]
    ends, cpu = time.perf_counter() + seconds, time.process_time()
    waits: list[float] = []

    async def client(number: int) -> None:
        while time.perf_counter() < ends:
            number += count
            began = time.perf_counter()
            await log.intent(intent(number, body))
            waits.append(time.perf_counter() - began)
            await log.outcome(outcome(number, body))

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(count)))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    stored = log.chain.head[0] - first
    await log.close()
    waits.sort()
    print(
        f"{count:3} waiting: {stored / took:8,.0f} durable records/s; an intent waits {waits[len(waits) // 2] * 1e3:.2f} ms "
        f"(median), {waits[int(len(waits) * 0.99)] * 1e3:.2f} ms (p99); CPU {cpu / stored * 1e6:.0f} µs a record"
    )


if __name__ == "__main__":
    bench()
