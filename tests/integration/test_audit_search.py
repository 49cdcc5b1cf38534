"""Finding records, page by page; and exports that can be checked without us."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import replace
from typing import Any

import orjson
import pytest
from pyarrow import parquet

from gateway.audit import search
from gateway.audit.export import export
from gateway.audit.record import Attempt, Outcome
from gateway.audit.search import Query
from gateway.audit.shown import request as shown
from gateway.audit.times import day, moment
from gateway.audit.writer import Writer, draft
from kakehashi.errors import UsageError
from tests.helpers.audit import Setup, intent, outcome


def decided(request_id: str, outcome_: str, *rules: str, model: str = "qwen") -> Outcome:
    return replace(
        outcome(request_id), outcome=outcome_, upstream_model=model, decisions=[{"rule": rule} for rule in rules]
    )


def fill(setup: Setup) -> None:
    """Five requests of three people, and an act."""
    setup.store.create()
    writer = Writer(setup.store, setup.home, "gateway")
    asked = [
        (intent("a"), decided("a", "ok", "pii.phone")),
        (replace(intent("b"), user="田中", team="営業部", model="other"), decided("b", "blocked", "injection.en")),
        (replace(intent("c"), user="田中", prompt="minutes.points@2", job="j9"), decided("c", "ok", model="llama")),
        (replace(intent("d"), key_id="key_2", policy="strict@4"), decided("d", "upstream_error")),
    ]
    for question, answer in asked:
        writer.append([draft(question)])
        if question.request_id == "d":
            writer.append([draft(Attempt("d", 2, "engine-2", "llama", "", "unreachable"))])
        writer.append([draft(answer, question.team)])
    writer.append([draft(replace(intent("e"), user="鈴木"))])
    act = replace(intent("f"), surface="admin", action="key.revoke", target="key_7", user="admin", model="")
    writer.append([draft(act), draft(outcome("f"), "")])
    writer.close()


def ids(setup: Setup, **query: str) -> str:
    found = search.find(setup.store, Query(**query))
    return "".join(sorted(rows[0].request_id for rows in found.results))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"user": "田中"}, "bc"),
        ({"team": "営業部"}, "b"),
        ({"key": "key_2"}, "d"),
        ({"app": "minutes", "user": "佐藤"}, "ad"),
        ({"model": "default"}, "acde"),
        ({"model": "llama"}, "cd"),
        ({"prompt": "minutes.points"}, "abcdef"),
        ({"prompt": "minutes.points@2"}, "c"),
        ({"policy": "strict"}, "d"),
        ({"rule": "pii.phone"}, "a"),
        ({"rule": "pii."}, "a"),
        ({"rule": "pii"}, ""),
        ({"rule": "%"}, ""),
        ({"outcome": "ok"}, "acf"),
        ({"outcome": "blocked", "user": "田中"}, "b"),
        ({"outcome": "blocked", "user": "佐藤"}, ""),
        ({"action": "key."}, "f"),
        ({"target": "key_7"}, "f"),
        ({"target": "key_"}, ""),
        ({"surface": "admin"}, "f"),
        ({"text_id": "j9"}, "c"),
        ({"request_id": "e"}, "e"),
        ({"since": "2999-01-01T00:00:00.000000Z"}, ""),
        ({"until": "2999-01-01T00:00:00.000000Z", "user": "鈴木"}, "e"),
    ],
)
def test_records_are_found_by_what_stands_in_them(setup: Setup, query: dict[str, str], expected: str) -> None:
    fill(setup)
    assert ids(setup, **query) == expected


def test_a_result_is_a_whole_request(setup: Setup) -> None:
    fill(setup)
    [d] = search.find(setup.store, Query(key="key_2")).results
    told = shown(d)
    assert (told["kind"], told["state"], told["outcome"], told["user"]) == ("request", "done", "upstream_error", "佐藤")
    assert told["repeated"][0]["upstream"] == "engine-2"
    [e] = search.find(setup.store, Query(user="鈴木")).results
    assert shown(e)["state"] == "open"


def test_pages_follow_each_other_without_a_gap_while_more_is_written(setup: Setup) -> None:
    fill(setup)
    seen, after = "", ""
    while True:
        found = search.find(setup.store, Query(), limit=2, after=after)
        seen += "".join(rows[0].request_id or "-" for rows in found.results)
        setup.write(1, "other")
        if not (after := found.next):
            break
    assert seen == "fedcba-"
    with pytest.raises(UsageError, match="cursor"):
        search.find(setup.store, Query(), after="eyJ4Ijox")


def check_independently(records: list[dict[str, Any]]) -> None:
    """As `docs/audit.md` shows it: nothing but SHA-256, the entries and their order."""
    previous = "0" * 64
    for record in sorted(records, key=lambda r: r["seq"]):
        previous = hashlib.sha256(f"{previous}\n{record['entry']}".encode()).hexdigest()
        assert previous == record["hash"]


def test_each_export_holds_the_same_records_and_can_be_checked(setup: Setup) -> None:
    fill(setup)
    lines = [orjson.loads(line) for line in b"".join(export(setup.store, Query(), "jsonl")).splitlines()]
    assert len(lines) == 13
    check_independently(lines)
    text = b"".join(export(setup.store, Query(), "csv")).decode()
    table = list(csv.DictReader(io.StringIO(text)))
    check_independently([{**row, "seq": int(row["seq"])} for row in table])
    rows = parquet.read_table(io.BytesIO(b"".join(export(setup.store, Query(), "parquet")))).to_pylist()
    check_independently(rows)
    assert [row["request_id"] for row in rows] == [line["request_id"] for line in lines]
    assert {row["user"] for row in rows if row["kind"] == "intent"} == {"佐藤", "田中", "鈴木", "admin"}
    assert rows[2]["latency_ms"] == pytest.approx(12.346)


def test_an_export_of_some_holds_their_whole_requests(setup: Setup) -> None:
    fill(setup)
    lines = [orjson.loads(line) for line in b"".join(export(setup.store, Query(user="田中"), "jsonl")).splitlines()]
    assert [(line["request_id"], line["kind"]) for line in lines] == [
        ("b", "intent"), ("b", "outcome"), ("c", "intent"), ("c", "outcome"),
    ]  # fmt: skip
    empty = b"".join(export(setup.store, Query(user="nobody"), "parquet"))
    assert parquet.read_table(io.BytesIO(empty)).num_rows == 0
    with pytest.raises(UsageError):
        export(setup.store, Query(), "xml")


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2026-11-30", "2026-11-30T00:00:00.000000Z"),
        ("2026-11-30T09:00+09:00", "2026-11-30T00:00:00.000000Z"),
        ("", ""),
    ],
)
def test_times_are_understood(text: str, start: str) -> None:
    assert moment(text) == start


@pytest.mark.parametrize("text", ["yesterday", "2h2", "99999999999d", "2026-13-01"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="no time"):
        moment(text)
    with pytest.raises(UsageError):
        day(text)
