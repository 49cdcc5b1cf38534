"""Limits as operators set them: by the admin API and the command line, in effect within a second, shown as they stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from gateway import cli
from gateway.ledger.cli import usage
from kakehashi.errors import UsageError
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.running_gateway import RunningGateway, running_gateway


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def gateway(home: Path, engine: FakeUpstream) -> Iterator[RunningGateway]:
    with pytest.MonkeyPatch.context() as patch, running_gateway(home, patch, engine.url, real_audit=True) as server:
        yield server


@pytest.fixture
def admin(gateway: RunningGateway) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    with httpx.Client(base_url=gateway.admin_url + "/admin/", headers=headers) as http:
        yield http


def ask(gateway: RunningGateway, key: str) -> httpx.Response:
    body = {"model": "default", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
    return httpx.post(gateway.url + "/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})


def run(*arguments: str, command: Any = cli.key) -> str:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def test_a_team_s_limit_binds_all_its_keys_and_is_lifted_again(gateway: RunningGateway, admin: httpx.Client) -> None:
    admin.post("teams", json={"name": "監査部", "rpm": 2, "tokens_per_month": 10**6})
    keys = [admin.post("keys", json={"name": str(n), "team": "監査部"}).json()["key"] for n in range(3)]
    assert [ask(gateway, key).status_code for key in keys] == [200, 200, 429]
    refused = ask(gateway, keys[0])
    assert "The team '監査部''s limit of 2 requests per minute" in refused.json()["error"]["message"]
    [owner] = admin.get("limits?team=監査部").json()["data"]
    standing = {(limit["kind"], limit["window"]): limit["used"] for limit in owner["limits"]}
    assert standing["requests", "minute"] == 2 and standing["tokens", "month"] > 0
    changed = admin.patch("teams/監査部", json={"rpm": None}).json()
    assert (changed["rpm"], changed["tokens_per_month"]) == (None, 10**6)
    assert ask(gateway, keys[0]).status_code == 200


def test_limits_and_priority_of_a_key_are_changed_and_checked(gateway: RunningGateway, admin: httpx.Client) -> None:
    spec = {"name": "n", "concurrency": 3, "yen_per_day": 500, "priority": "low"}
    made = admin.post("keys", json=spec).json()
    assert spec.items() <= made.items()
    changed = admin.patch(f"keys/{made['id']}", json={"concurrency": None, "priority": "high"}).json()
    assert (changed["concurrency"], changed["yen_per_day"], changed["priority"]) == (None, 500, "high")
    for wrong in ({"tokens_per_day": 0}, {"priority": "urgent"}, {"priority": None}, {"rpm": 10**15}):
        assert admin.patch(f"keys/{made['id']}", json=wrong).status_code in (400, 422)
    rotated = admin.post(f"keys/{made['id']}/rotate", json={}).json()
    assert (rotated["yen_per_day"], rotated["priority"]) == (500, "high")


def test_the_command_line_sets_limits_and_shows_usage(gateway: RunningGateway, home: Path) -> None:
    run("create", "広報", command=cli.team)
    made = json.loads(run("create", "--name", "c", "--team", "広報", "--tokens-per-day", "5000", "--json"))
    run("change", made["id"], "--concurrency", "2", "--tokens-per-day", "0", "--priority", "low")
    [shown] = [key for key in json.loads(run("list", "--json")) if key["id"] == made["id"]]
    assert (shown["concurrency"], shown["tokens_per_day"], shown["priority"]) == (2, None, "low")
    assert run("limit", "広報", "--yen-per-month", "900", command=cli.team) == "Team '広報': yen_per_month 900.\n"
    assert "yen_per_month" in run("list", command=cli.team)
    for _ in range(2):
        assert ask(gateway, made["key"]).status_code == 200
    lines = {line["name"]: line for line in json.loads(run("--by", "team", "--json", command=usage))}
    assert (lines["広報"]["requests"], lines["広報"]["lost"]) == (2, 0) and lines["広報"]["prompt_tokens"] > 0
    assert "広報" in run("--by", "team", "--csv", command=usage) and "広報" in run("--by", "team", command=usage)
    with pytest.raises(UsageError, match="Nothing to change"):
        run("change", made["id"])


def test_the_command_line_reconciles(
    gateway: RunningGateway, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAKEHASHI_GATEWAY__UPSTREAM", upstream.url)
    assert "no earlier reading" in run("reconcile", command=usage)
    upstream.counted.update(prompt=40, generation=2)
    assert "prompt tokens: engine 40, ledger 0, difference +40" in run("reconcile", "--look", command=usage)
    [row] = json.loads(run("reconcile", "--json", command=usage))
    assert row["difference"] == {"prompt_tokens": 40, "completion_tokens": 2}
