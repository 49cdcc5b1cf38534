"""The audit log on real SQLite and PostgreSQL: durable, chained, and every kind of tampering is found."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit.cli import audit as audit_command
from gateway.audit.cli import read_body
from gateway.audit.crypto import Signer, Vault
from gateway.audit.heads import home_id
from gateway.audit.log import AuditUnavailable
from gateway.audit.retention import erase_keys, keys_before
from gateway.audit.tables import CHECKPOINTS, ENTRIES, KEYS
from gateway.audit.writer import Draft, Writer
from kakehashi.errors import IntegrityError
from kakehashi.paths import Home
from tests.helpers.audit import Setup, intent, outcome


async def test_records_are_stored_when_the_call_returns_and_the_chain_verifies(setup: Setup) -> None:
    log = setup.log()
    await log.start()
    await asyncio.gather(*(log.intent(intent(f"req_{n}", body=f"質問{n}".encode())) for n in range(40)))
    assert len(setup.store.find(request_ids=["req_7"])) == 1
    await asyncio.gather(*(log.outcome(outcome(f"req_{n}")) for n in range(39)))
    await log.close()
    report = setup.verify()
    assert report.problems == []
    assert report.entries == 1 + 40 + 39
    assert report.open_requests == ["req_39"]


async def test_bodies_are_stored_encrypted_and_read_back(setup: Setup) -> None:
    log = setup.log()
    await log.start()
    await log.intent(intent("req_1", body="田中様の残高".encode()))
    await log.outcome(outcome("req_1", body="お答えします".encode()))
    await log.close()
    asked, answered = setup.store.find(request_ids=["req_1"])
    assert asked.body is not None and "田中様".encode() not in asked.body
    assert "田中様" not in asked.entry
    vault = Vault.open(setup.home.secrets)
    assert read_body(setup.store, vault, asked) == "田中様の残高".encode()
    assert read_body(setup.store, vault, answered) == "お答えします".encode()
    assert json.loads(answered.entry)["body"]["key"].startswith("審査部/"), "the outcome shares its intent's tenant"


def test_heads_written_by_several_threads_at_once_never_fail_and_never_go_back(tmp_path: Path) -> None:
    """The log's own thread writes heads soon after commits, another one at the end: they meet."""
    home = Home(tmp_path / "home").make()
    setup = Setup(home, f"sqlite:///{home.gateway_db}")
    setup.store.create()
    writer = Writer(setup.store, home, "gateway", heads_by_owner=True)
    seen: list[int] = []

    def write(_: int) -> None:
        for _ in range(20):
            writer.write_head()
            seen.append(writer.heads.read()[writer.name]["seq"])

    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(write, n) for n in range(8)]
        while not all(one.done() for one in done):
            before = writer.heads.read().get(writer.name, {"seq": 0})["seq"]
            writer.append([Draft("intent", "req", "t", {})])
            assert writer.heads.read().get(writer.name, {"seq": 0})["seq"] >= before
        for one in done:
            one.result()
    writer.close()
    assert len(seen) == 160 and list(writer.folder.glob(".*.tmp")) == []
    assert writer.heads.read()[writer.name]["seq"] == writer.head[0] and setup.verify().problems == []


def test_secrets_made_by_several_threads_at_once_are_one(tmp_path: Path) -> None:
    for number in range(20):
        folder = tmp_path / str(number)
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(lambda _, folder=folder: Signer.open(folder).public_hex, range(8)))) == 1
            (folder / "audit").mkdir()
            assert len(set(pool.map(lambda _, folder=folder: home_id(folder / "audit"), range(8)))) == 1


async def test_bodies_can_be_left_out(setup: Setup) -> None:
    log = setup.log(keep_bodies=False)
    await log.start()
    await log.intent(intent("req_1", body=b"secret"))
    await log.close()
    assert setup.store.find(request_ids=["req_1"])[0].body is None
    assert setup.verify().ok


async def test_a_restart_continues_the_same_chain(setup: Setup) -> None:
    for number in range(3):
        log = setup.log()
        await log.start()
        await log.intent(intent(f"req_{number}"))
        await log.close()
    report = setup.verify()
    assert report.ok and len(report.writers) == 1 and report.entries == 4


async def test_two_processes_write_two_chains_that_verify_together(setup: Setup) -> None:
    one, two = setup.log(), setup.log()
    await one.start()
    await two.start()
    await asyncio.gather(*(log.intent(intent(f"req_{n}{i}")) for i, log in enumerate((one, two)) for n in range(5)))
    await one.close()
    await two.close()
    report = setup.verify()
    assert report.ok and len(report.writers) == 2 and report.entries == 12


def test_concurrent_processes_share_secrets_and_never_a_chain(tmp_path: Path) -> None:
    script = """
import sys
from gateway.audit.store import AuditStore, open_engine
from gateway.audit.writer import Draft, Writer
from kakehashi.paths import Home
from tests.helpers.audit import Setup, intent, outcome
from pathlib import Path
home = Home(Path(sys.argv[1])).make()
store = AuditStore(open_engine(f"sqlite:///{home.gateway_db}")); store.create()
writer = Writer(store, home, "gateway")
for n in range(20): writer.append([Draft("event", f"e{n}", "t", {}, b"body")])
"""
    children = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    home = Home(tmp_path)
    setup = Setup(home, f"sqlite:///{home.gateway_db}")
    report = setup.verify()
    setup.engine.dispose()
    assert report.problems == [] and report.entries == 80 + len(report.writers)


def tamper_change(setup: Setup, writer: str) -> None:
    row = next(r for r in setup.store.rows(writer) if r.seq == 4)
    changed = row.entry.replace('"n":1', '"n":9')
    assert changed != row.entry
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == 4).values(entry=changed))


def tamper_change_and_rehash(setup: Setup, writer: str) -> None:
    """Change an entry and recompute every later hash: the signed head no longer fits."""
    from gateway.audit.chain import link

    previous = next(r for r in setup.store.rows(writer) if r.seq == 3).hash
    for row in list(setup.store.rows(writer))[3:]:
        entry = row.entry.replace('"n":1', '"n":9')
        previous = link(previous, entry.encode())
        setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == row.seq).values(entry=entry, hash=previous))


def tamper_remove(setup: Setup, writer: str) -> None:
    setup.sql(sa.delete(ENTRIES).where(ENTRIES.c.seq == 3))


def tamper_cut_end(setup: Setup, writer: str) -> None:
    setup.sql(sa.delete(ENTRIES).where(ENTRIES.c.seq >= 6))


def tamper_empty(setup: Setup, writer: str) -> None:
    setup.sql(sa.delete(ENTRIES))


def tamper_swap(setup: Setup, writer: str) -> None:
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == 3).values(seq=99))
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == 5).values(seq=3))
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == 99).values(seq=5))


def tamper_column(setup: Setup, writer: str) -> None:
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == 3).values(time="2020-01-01T00:00:00.000000Z"))


def tamper_body(setup: Setup, writer: str) -> None:
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == 3).values(body=b"other"))


def tamper_body_removed(setup: Setup, writer: str) -> None:
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == 3).values(body=None))


def tamper_body_added(setup: Setup, writer: str) -> None:
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == 1).values(body=b"new"))


def tamper_head(setup: Setup, writer: str) -> None:
    path = setup.home.root / "audit" / f"{writer}.head"
    head = json.loads(path.read_text())
    path.write_text(json.dumps({**head, "seq": head["seq"] - 2}))


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (tamper_change, "changed or reordered"),
        (tamper_change_and_rehash, "differs from the signed head"),
        (tamper_remove, "entries 3 to 3 are missing"),
        (tamper_cut_end, "entries 6 to 9 were cut off the end"),
        (tamper_empty, "entries 1 to 9 were cut off the end"),
        (tamper_swap, "changed or reordered"),
        (tamper_column, "column time differs"),
        (tamper_body, "encrypted body was changed"),
        (tamper_body_removed, "removed without its key"),
        (tamper_body_added, "a body was added"),
        (tamper_head, "head file was changed"),
    ],
)
def test_tampering_is_found(setup: Setup, tamper: Callable[[Setup, str], None], expected: str) -> None:
    writer = setup.write(4)
    assert setup.verify().ok
    tamper(setup, writer)
    assert any(expected in problem.what for problem in setup.verify().problems)


def test_a_whole_chain_that_vanishes_is_named_by_a_later_one(setup: Setup) -> None:
    gone = setup.write(2, "gateway")
    setup.write(1, "cli")
    setup.sql(sa.delete(ENTRIES).where(ENTRIES.c.writer == gone))
    (setup.home.root / "audit" / f"{gone}.head").unlink()
    assert [p.writer for p in setup.verify().problems] == [gone]


def test_after_a_cut_the_next_writer_leaves_the_evidence_alone(setup: Setup) -> None:
    first = setup.write(3)
    setup.sql(sa.delete(ENTRIES).where(ENTRIES.c.seq >= 5))
    assert setup.write(1) != first
    assert any("cut off" in p.what and p.writer == first for p in setup.verify().problems)


def test_checkpoints_are_signed_and_checked(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.audit.writer.CHECKPOINT_EVERY", 3)
    writer = setup.write(3)
    assert [seq for seq, _, _ in setup.store.checkpoints(writer)] == [3, 6]
    assert setup.verify().ok
    setup.sql(sa.update(CHECKPOINTS).where(CHECKPOINTS.c.seq == 3).values(hash="0" * 64))
    assert [p.what for p in setup.verify().problems] == ["checkpoint signature is wrong"]


def test_erasing_a_key_makes_bodies_unreadable_and_the_chain_still_verifies(setup: Setup) -> None:
    setup.write(2)
    keys = keys_before(setup.store, "9999-12-31", tenant="t")
    assert len(keys) == 1 and keys_before(setup.store, "9999-12-31", tenant="other") == []
    erase_keys(setup.store, keys)
    row = setup.store.find(request_ids=["gateway-0"])[0]
    assert read_body(setup.store, Vault.open(setup.home.secrets), row) is None
    assert setup.verify().ok
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.body.is_not(None)).values(body=None))
    assert setup.verify().ok, "after the key is gone the ciphertext may go too"


async def test_when_the_store_fails_the_caller_learns_it_and_the_log_recovers(setup: Setup) -> None:
    log = setup.log()
    await log.start()
    await log.intent(intent("req_1"))
    setup.sql(sa.text("ALTER TABLE audit_entries RENAME TO elsewhere"))
    with pytest.raises(AuditUnavailable):
        await log.intent(intent("req_2"))
    setup.sql(sa.text("ALTER TABLE elsewhere RENAME TO audit_entries"))
    await log.intent(intent("req_3"))
    await log.close()
    report = setup.verify()
    assert report.ok and report.open_requests == ["req_1", "req_3"]


async def test_a_log_that_is_not_running_refuses(setup: Setup) -> None:
    log = setup.log()
    with pytest.raises(AuditUnavailable):
        await log.intent(intent("req_1"))
    await log.start()
    await log.close()
    with pytest.raises(AuditUnavailable):
        await log.intent(intent("req_1"))


async def test_a_caller_who_leaves_does_not_disturb_the_others(setup: Setup) -> None:
    log = setup.log()
    await log.start()
    gone = asyncio.create_task(log.intent(intent("req_gone")))
    await asyncio.sleep(0)
    gone.cancel()
    await log.intent(intent("req_here"))
    await log.close()
    assert setup.verify().ok
    assert setup.store.find(request_ids=["req_here"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_single_byte_changed_in_any_entry_is_found(tmp_path: Path, data: st.DataObject) -> None:
    home = Home(tmp_path / secrets.token_hex(4)).make()
    setup = Setup(home, f"sqlite:///{home.gateway_db}")
    writer = setup.write(2)
    rows = list(setup.store.rows(writer))
    row = data.draw(st.sampled_from(rows))
    place = data.draw(st.integers(0, len(row.entry) - 1))
    letter = data.draw(st.sampled_from("0x7é"))
    changed = row.entry[:place] + letter + row.entry[place + 1 :]
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.seq == row.seq).values(entry=changed))
    ok = setup.verify().ok
    setup.engine.dispose()
    assert ok == (changed == row.entry)


def run_cli(setup: Setup, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.setenv("KAKEHASHI_HOME", str(setup.home.root))
    monkeypatch.setenv("KAKEHASHI_GATEWAY__DATABASE_URL", setup.url)
    result = CliRunner().invoke(audit_command, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_the_command_line_verifies_shows_exports_and_purges(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.write(2)
    code, output = run_cli(setup, monkeypatch, "verify")
    assert code == 0 and "all chains verify" in output
    _, output = run_cli(setup, monkeypatch, "show", "gateway-1", "--body")
    assert '"question"' in output and '"answer"' in output
    _, output = run_cli(setup, monkeypatch, "export", "--since", "1h")
    kinds = [orjson.loads(line)["kind"] for line in output.splitlines()]
    assert kinds == ["begin"] + ["intent", "outcome"] * 2 + ["begin", "read"]
    _, output = run_cli(setup, monkeypatch, "export", "--format", "csv")
    assert len(output.splitlines()) == 8
    _, output = run_cli(setup, monkeypatch, "list", "--limit", "3")
    assert len(output.splitlines()) == 4, "two acts, and a request of two records"
    setup.sql(sa.update(KEYS).values(day="2020-01-01"))
    code, output = run_cli(setup, monkeypatch, "purge", "--before", "2020-02-01", "--yes")
    assert code == 0 and "Erased 1" in output
    _, output = run_cli(setup, monkeypatch, "show", "gateway-1", "--body")
    assert "question" not in output


async def test_an_act_is_in_the_chain_and_on_the_command_line_beside_older_records(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.write(1)  # entries as they were before records had an action: a field of the entry, not a column
    log = setup.log()
    await log.start()
    await log.intent(replace(intent("act-1"), surface="admin", action="key.revoke", target="key_7"))
    await log.close()
    assert setup.verify().ok
    [row] = setup.store.find(request_ids=["act-1"])
    assert '"action":"key.revoke"' in row.entry and '"target":"key_7"' in row.entry
    assert "key.revoke key_7" in run_cli(setup, monkeypatch, "list")[1]
    assert orjson.loads(run_cli(setup, monkeypatch, "export")[1].splitlines()[-1])["action"] == "key.revoke"
    for wanted, count in (("key.", 1), ("key.revoke", 1), ("team.", 0), ('key.revoke","x', 0), ("%", 0)):
        assert len(run_cli(setup, monkeypatch, "list", "--action", wanted)[1].splitlines()) == count
    assert len(run_cli(setup, monkeypatch, "export", "--action", "key.")[1].splitlines()) == 1
    forged = row.entry.replace("key.revoke", "key.create")
    setup.sql(sa.update(ENTRIES).where(ENTRIES.c.request_id == "act-1").values(entry=forged))
    assert not setup.verify().ok


def test_the_command_line_reports_tampering_as_an_error(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    setup.write(1)
    tamper_remove(setup, "")
    with pytest.raises(IntegrityError, match="does not verify"):
        run_cli(setup, monkeypatch, "verify")
    with pytest.raises(IntegrityError):
        run_cli(setup, monkeypatch, "verify", "--json")


def test_tables_can_be_created_twice(setup: Setup) -> None:
    setup.store.create()
    setup.store.create()
    names = set(sa.inspect(setup.engine).get_table_names())
    assert names >= {"audit_entries", "audit_keys", "audit_checkpoints", "audit_seals", "audit_holds"}
