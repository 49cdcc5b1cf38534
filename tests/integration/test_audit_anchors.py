"""Signed checkpoints on other systems: a file, S3 with object lock, a log server; and what they find."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest
import sqlalchemy as sa
from botocore.exceptions import ClientError
from click.testing import CliRunner
from moto import mock_aws

from gateway.audit.anchoring import Anchoring, Rhythm
from gateway.audit.anchors import Anchor, AnchorError, Checkpoint, open_anchor
from gateway.audit.anchors.base import parse
from gateway.audit.cli import audit as audit_command
from gateway.audit.export import export
from gateway.audit.log import AuditLog, AuditUnavailable
from gateway.audit.search import Query
from gateway.audit.tables import ENTRIES
from kakehashi.errors import ConfigError, IntegrityError
from kakehashi.paths import CHECKOUT, Home
from tests.helpers.audit import Setup, intent

MARK = Checkpoint("w-0", 7, "a" * 64, "2026-11-24T00:00:00.000000Z", "b" * 128)
SOON = Rhythm(interval_s=0.05, entries=1000, required=False)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Setup]:
    home = Home(tmp_path / "home").make()
    made = Setup(home, f"sqlite:///{home.gateway_db}")
    yield made
    made.engine.dispose()


class Told:
    """What the metrics would be told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []

    def __call__(self, name: str, ok: bool) -> None:
        self.calls.append((name, ok))


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing to wait on from outside
            await asyncio.sleep(0.01)


async def anchored(setup: Setup, anchor: Anchor, requests: int = 3, rhythm: Rhythm = SOON) -> Told:
    """Write some requests with an anchor beside them, as the gateway does."""
    log, told = setup.log(), Told()
    anchoring = Anchoring(log, [anchor], rhythm, told)
    await log.start()
    anchoring.start()
    await until(lambda: told.calls)
    for number in range(requests):
        await log.intent(intent(f"r{number}"))
    await anchoring.stop()
    await log.close()
    await anchoring.finish()
    return told


async def test_a_file_holds_the_chains_last_entry_after_the_end(sqlite: Setup, tmp_path: Path) -> None:
    anchor = open_anchor(str(tmp_path / "anchor.jsonl"))
    await anchored(sqlite, anchor)
    marks = list(anchor.read())
    assert [mark.seq for mark in marks] == sorted({1, *(m.seq for m in marks), 4}) and marks[-1].seq == 4
    report = sqlite.verify(marks)
    assert report.ok and report.references > len(marks)


async def test_a_database_rolled_back_with_its_heads_is_found(sqlite: Setup, tmp_path: Path) -> None:
    anchor = open_anchor(f"file://{tmp_path}/anchor.jsonl")
    await anchored(sqlite, anchor, 2)
    sqlite.engine.dispose()
    shutil.copytree(sqlite.home.root, tmp_path / "backup")
    await anchored(sqlite, anchor, 5)
    sqlite.engine.dispose()
    shutil.rmtree(sqlite.home.root)
    shutil.copytree(tmp_path / "backup", sqlite.home.root)
    assert sqlite.verify().ok, "nothing on this machine tells"
    [problem] = sqlite.verify(anchor.read()).problems
    assert "rolled back" in problem.what and problem.seq == 4
    await anchored(sqlite, open_anchor(str(tmp_path / "other.jsonl")), 9)  # written over: other entries, same numbers
    assert any("differs from the one anchored" in p.what for p in sqlite.verify(anchor.read()).problems)


async def test_a_forged_or_cut_checkpoint_is_named(sqlite: Setup, tmp_path: Path) -> None:
    anchor = open_anchor(str(tmp_path / "a"))
    await anchored(sqlite, anchor, 1)
    text = (tmp_path / "a").read_text()
    (tmp_path / "a").write_text(text.replace('"seq":1,', '"seq":2,', 1) + text.splitlines()[0][:80])
    whats = [p.what for p in sqlite.verify(anchor.read()).problems]
    assert len(whats) == 2 and all("not signed by this installation" in what for what in whats)


@pytest.fixture
def s3() -> Iterator[None]:
    """S3 with object lock, played by moto beneath the real client."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")):
            patch.setenv(name, value)
        with mock_aws():
            yield


async def test_s3_keeps_them_under_object_lock(sqlite: Setup, s3: None) -> None:
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="audit", ObjectLockEnabledForBucket=True)
    anchor = open_anchor("s3://audit/kakehashi?region=us-east-1&days=30")
    await anchored(sqlite, anchor)
    marks = list(anchor.read())
    assert marks and max(mark.seq for mark in marks) == 4
    assert sqlite.verify(marks).ok
    [first, *_] = client.list_object_versions(Bucket="audit")["Versions"]
    kept = client.head_object(Bucket="audit", Key=first["Key"], VersionId=first["VersionId"])
    assert kept["ObjectLockMode"] == "COMPLIANCE"
    assert kept["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=29)
    with pytest.raises(ClientError):
        client.delete_object(Bucket="audit", Key=first["Key"], VersionId=first["VersionId"])
    client.put_object(Bucket="audit", Key=first["Key"], Body=b"something else")
    assert any("not signed" in p.what for p in sqlite.verify(anchor.read()).problems), (
        "and the first version still counts"
    )
    with pytest.raises(AnchorError, match="NoSuchBucket"):
        open_anchor("s3://nowhere/x?region=us-east-1").put(MARK)


@contextmanager
def receiver(kind: str, folder: Path) -> Iterator[tuple[str, list[bytes]]]:
    """A log server on a real socket: its address as a setting, and the messages it gets."""
    got: list[bytes] = []
    if kind == "unix":
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(str(folder / "log"))
        url = f"syslog+unix://{folder}/log"
    else:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        url = f"syslog+{kind}://127.0.0.1:{server.getsockname()[1]}"

    def serve() -> None:
        while True:
            try:
                if kind == "tcp":
                    way, _ = server.accept()
                    with way, way.makefile("rb") as stream:
                        length = int(b"".join(iter(lambda: stream.read(1), b" ")))
                        got.append(stream.read(length))
                else:
                    got.append(server.recv(65536))
            except OSError:
                return

    if kind == "tcp":
        server.listen()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield url, got
    server.close()


@pytest.mark.parametrize("kind", ["udp", "tcp", "unix"])
async def test_a_log_server_gets_them_and_its_file_is_read(sqlite: Setup, kind: str, tmp_path: Path) -> None:
    with receiver(kind, tmp_path) as (url, got):
        anchor = open_anchor(url)
        await anchored(sqlite, anchor)
        await until(lambda: any(b'"seq":4' in message for message in got))
    assert got[0].startswith(b"<109>1 20") and b" kakehashi " in got[0] and b" audit-checkpoint - {" in got[0]
    log_file = tmp_path / "messages"
    log_file.write_text("".join(f"Nov 24 12:00:00 loghost {message.decode()}\n" for message in got) + "other noise\n")
    marks = list(open_anchor(str(log_file)).read())
    assert sqlite.verify(marks).ok and len(marks) == len(got)
    with pytest.raises(AnchorError, match="cannot be read back"):
        anchor.read()


async def test_an_anchor_that_fails_is_told_and_tried_again_and_stops_nobody(sqlite: Setup, tmp_path: Path) -> None:
    anchor = open_anchor(str(tmp_path / "not mounted" / "anchor"))
    log, told = sqlite.log(), Told()
    anchoring = Anchoring(log, [anchor], SOON, told)
    await log.start()
    anchoring.start()
    await until(lambda: len(told.calls) > 2)
    await log.intent(intent("r1"))
    assert {ok for _, ok in told.calls} == {False}
    assert "No such file" in anchoring.standing[anchor.name].failure
    (tmp_path / "not mounted").mkdir()
    await until(lambda: told.calls[-1][1])
    assert anchoring.standing[anchor.name].failure == ""
    await anchoring.stop()
    await log.close()


async def test_where_an_anchor_is_required_requests_wait_for_it(sqlite: Setup, tmp_path: Path) -> None:
    anchor = open_anchor(str(tmp_path / "not mounted" / "anchor"))
    log: AuditLog = sqlite.log()
    anchoring = Anchoring(log, [anchor], Rhythm(0.02, 1000, required=True), Told())
    await log.start()
    anchoring.start()
    await until(lambda: log.barred)
    with pytest.raises(AuditUnavailable, match="No anchor"):
        await log.intent(intent("r1"))
    (tmp_path / "not mounted").mkdir()
    await until(lambda: not log.barred)
    await log.intent(intent("r2"))
    await anchoring.stop()
    await log.close()


@pytest.mark.parametrize(
    "url",
    [
        "relative/path", "ftp://x/y", "s3://", "s3://key:secret@bucket/x", "s3://b/x?days=x", "s3://b/x?acl=public",
        "s3://b/x?mode=NONE", "syslog+tcp://", "syslog+http://x", "syslog+tcp://host/path", "syslog+unix://host/x",
    ],
)  # fmt: skip
def test_what_is_no_anchor_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_anchor(url)
    assert "secret" not in str(caught.value)


def test_a_checkpoint_is_found_in_any_line() -> None:
    assert parse(f"Nov 24 host app: {MARK.line()}\x00", "x") == Checkpoint(
        MARK.writer, MARK.seq, MARK.hash, MARK.time, MARK.signature, "x"
    )
    assert parse("nothing here", "x") is None
    cut = parse(MARK.line()[:60], "x")
    assert cut is not None and cut.writer == "?"


def test_the_officers_page_checks_an_export_without_us(sqlite: Setup, tmp_path: Path) -> None:
    """The Python of `docs/audit.md`, run as it stands there."""
    page = (CHECKOUT / "docs" / "audit.md").read_text()
    script = tmp_path / "check.py"
    script.write_text(page.split("```python\n")[1].split("```")[0])
    asyncio.run(anchored(sqlite, open_anchor(str(tmp_path / "marks"))))
    exported = b"".join(export(sqlite.store, Query(), "jsonl"))
    (tmp_path / "export").write_bytes(exported)
    command = [sys.executable, script, tmp_path / "export", tmp_path / "marks", sqlite.signer.public_hex]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "4 records hold\n"
    for changed in (exported.replace(b"default@1", b"default@2"), b"\n".join(exported.splitlines()[:3])):
        (tmp_path / "export").write_bytes(changed)
        assert subprocess.run(command, capture_output=True, text=True).returncode != 0


def test_the_command_line_compares_with_anchors(sqlite: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(anchored(sqlite, open_anchor(str(tmp_path / "marks"))))
    monkeypatch.setenv("KAKEHASHI_HOME", str(sqlite.home.root))
    monkeypatch.setenv("KAKEHASHI_GATEWAY__AUDIT_ANCHORS", f'["{tmp_path}/marks", "syslog+udp://127.0.0.1:9"]')
    said = CliRunner().invoke(audit_command, ["verify", "--json"])
    assert orjson.loads(said.stdout)["ok"]
    key = CliRunner().invoke(audit_command, ["key"]).stdout.strip()
    with_key = ["verify", "--anchor", str(tmp_path / "marks"), "--public-key", key]
    assert "all chains verify" in CliRunner().invoke(audit_command, with_key).stdout
    other = ["verify", "--anchor", str(tmp_path / "marks"), "--public-key", "00" * 32]
    assert isinstance(CliRunner().invoke(audit_command, other).exception, IntegrityError)
    sqlite.sql(sa.delete(ENTRIES).where(ENTRIES.c.seq > 2))
    cut = CliRunner().invoke(audit_command, ["verify"])
    assert isinstance(cut.exception, IntegrityError) and "rolled back" in cut.stdout and "cut off the end" in cut.stdout
    missing = CliRunner().invoke(audit_command, ["verify", "--anchor", str(tmp_path / "nowhere")])
    assert isinstance(missing.exception, AnchorError)
