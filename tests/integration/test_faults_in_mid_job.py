"""What goes wrong in the middle of a job, with the real gateway between the app and a model: nothing done is lost."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.common.client import GatewayClient
from apps.common.progress import silent
from apps.minutes.model import Minutes
from apps.minutes.pipeline import MinutesResult, Request, make_minutes, run
from gateway.identity.keyring import USABLE_S
from kakehashi.errors import KakehashiError
from kakehashi.settings import Settings
from tests.helpers.fake_upstream import FakeUpstream, running
from tests.helpers.gold import GOLD, Gold, load
from tests.helpers.running_gateway import RunningGateway, running_gateway

TALK = load(GOLD / "dev" / "it_project.yaml", anonymous=True)
OTHER = load(GOLD / "dev" / "recruiting.yaml", anonymous=True)


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with running(FakeUpstream(answer='{"text": "x", "title": "x"}')) as server:
        yield server


@pytest.fixture
def gateway(upstream: FakeUpstream, tmp_path: Path) -> Iterator[RunningGateway]:
    with pytest.MonkeyPatch.context() as patch, running_gateway(tmp_path / "home", patch, upstream.url) as server:
        yield server


def asker(gateway: RunningGateway, key: str, **who: str) -> GatewayClient:
    return GatewayClient(gateway.url, key, parallel=2, timeout_s=20, **who)


def once(act: Callable[[], object], after: int) -> Callable[..., None]:
    """A progress that does something when the model has answered ``after`` groups of questions."""
    groups = iter(range(10_000))

    def progress(stage: str, fraction: float, *, eta_s: float | None = None, detail: str = "") -> None:
        if stage == "minutes" and next(groups) == after:
            act()

    return progress


def make(talk: Gold, client: GatewayClient, work: Path, progress: Callable[..., None] = silent) -> MinutesResult:
    return make_minutes(talk.transcript, Request(talk.meeting), client=client, work=work, progress=progress)


def items(minutes: Minutes) -> list[str]:
    return [d.text for d in minutes.decisions] + [a.task for a in minutes.actions]


def test_a_key_revoked_in_mid_job(gateway: RunningGateway, upstream: FakeUpstream, tmp_path: Path) -> None:
    store = gateway.services.identity
    key = gateway.key(name="minutes")

    def revoke() -> None:
        store.revoke_key(store.keys()[-1].id)
        upstream.mode, upstream.pause_s = "slow", USABLE_S + 0.2  # the gateway may know a key for that long

    broken = make(TALK, asker(gateway, key), tmp_path / "work", once(revoke, 1))
    asked = len(upstream.requests)
    assert broken.error is not None and broken.error.code == "key_refused"
    assert broken.minutes.meta["error"]["code"] == "key_refused" and items(broken.minutes)
    upstream.mode = "echo"
    whole = make(TALK, asker(gateway, gateway.key(name="new")), tmp_path / "work")
    assert whole.error is None and items(whole.minutes) == items(broken.minutes)
    kept = len(list((tmp_path / "work" / "answers").glob("*.json")))
    assert 0 < asked < kept == len(upstream.requests), "what was answered before is asked again"


def test_an_engine_that_restarts_in_mid_job(gateway: RunningGateway, upstream: FakeUpstream, tmp_path: Path) -> None:
    def die() -> None:
        upstream.mode, upstream.status = "error", 503

    client = asker(gateway, gateway.key())
    broken = make(TALK, client, tmp_path / "work", once(die, 1))
    assert broken.error is not None and broken.error.code == "engine_down"
    assert set(broken.minutes.stages.values()) == {"failed"} and items(broken.minutes)
    kept = len(list((tmp_path / "work" / "answers").glob("*.json")))
    upstream.mode = "echo"
    again = len(upstream.requests)
    whole = make(TALK, client, tmp_path / "work")
    assert whole.error is None and kept > 0
    assert len(upstream.requests) - again == len(list((tmp_path / "work" / "answers").glob("*.json"))) - kept


def test_two_people_at_once_get_their_own(gateway: RunningGateway, tmp_path: Path) -> None:
    clients = [asker(gateway, gateway.key(name=n), user=n, job=n, app="minutes") for n in ("青木", "馬場")]
    with ThreadPoolExecutor(2) as pool:
        work = [tmp_path / "a", tmp_path / "b"]
        both = list(pool.map(make, (TALK, OTHER), clients, work))
    alone = [make_minutes(t.transcript, Request(t.meeting), client=None, work=tmp_path / "c") for t in (TALK, OTHER)]
    assert [items(r.minutes) for r in both] == [items(r.minutes) for r in alone]
    ids = [set(r.minutes.meta["request_ids"]) for r in both]
    assert ids[0] and ids[1] and not ids[0] & ids[1]
    by_job = {job: {i.request_id for i in gateway.audit.intents if i.job == job} for job in ("青木", "馬場")}
    assert ids[0] <= by_job["青木"] and ids[1] <= by_job["馬場"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, most of it taken."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_named_and_nothing_is_half_written(tiny_disk: Path) -> None:
    out = tiny_disk / "out"
    request = Request(TALK.meeting)

    def attempt() -> MinutesResult:
        return run(
            None,
            out=out,
            work=out / "work",
            request=request,
            settings=Settings(),
            client=None,
            transcript=TALK.transcript,
        )

    (tiny_disk / "big").write_bytes(os.urandom(44 * 1024))
    with pytest.raises(KakehashiError) as refused:
        attempt()
    assert refused.value.code == "disk_full" and "free space" in refused.value.hint
    for file in out.rglob("*"):
        assert not file.name.endswith(".part")
        if file.suffix == ".json":
            json.loads(file.read_text())
    (tiny_disk / "big").unlink()
    assert all(path.stat().st_size for path in attempt().files)
