"""Keys and teams by the admin API and by the command line, each act recorded; and a key's end takes effect."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from gateway import cli
from kakehashi.errors import KakehashiError
from tests.helpers.fake_upstream import FakeUpstream, running
from tests.helpers.running_gateway import RunningGateway, running_gateway

BODY = {"model": "default", "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def gateway(home: Path) -> Iterator[RunningGateway]:
    with (
        running(FakeUpstream()) as upstream,
        pytest.MonkeyPatch.context() as patch,
        running_gateway(home, patch, upstream.url) as server,
    ):
        yield server


@pytest.fixture
def admin(gateway: RunningGateway) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
    with httpx.Client(base_url=gateway.admin_url + "/admin/", headers=headers) as http:
        yield http


def asked(gateway: RunningGateway, key: str) -> int:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(gateway.url + "/chat/completions", json=BODY, headers=headers).status_code


class TestApi:
    def test_a_keys_whole_life(self, admin: httpx.Client, gateway: RunningGateway) -> None:
        assert admin.post("teams", json={"name": "融資部"}).status_code == 201
        made = admin.post(
            "keys", json={"name": "試験", "team": "融資部", "models": ["default"], "expires": "30d", "rpm": 60}
        )
        assert made.status_code == 201
        key, key_id = made.json()["key"], made.json()["id"]
        assert asked(gateway, key) == 200
        shown = admin.get(f"keys/{key_id}").json()
        assert (shown["team"], shown["models"], shown["rpm"], shown["state"]) == ("融資部", ["default"], 60, "active")
        assert "key" not in shown and key not in admin.get("keys").text
        assert admin.patch(f"keys/{key_id}", json={"rpm": None, "models": ["other"]}).json()["rpm"] is None
        assert asked(gateway, key) == 403
        admin.patch(f"keys/{key_id}", json={"models": None})
        rotated = admin.post(f"keys/{key_id}/rotate", json={"overlap": "1h"}).json()
        assert asked(gateway, key) == asked(gateway, rotated["key"]) == 200
        assert admin.delete(f"keys/{key_id}").json()["state"] == "revoked"
        assert asked(gateway, key) == 401 and asked(gateway, rotated["key"]) == 200
        assert admin.get("keys", params={"team": "融資部"}).json()["data"][0]["id"] == rotated["id"]
        assert admin.get("keys", params={"prefix": key[:8]}).json()["data"][0]["id"] == key_id

    def test_teams(self, admin: httpx.Client) -> None:
        team = admin.post("teams", json={"name": "一時"}).json()
        assert admin.post("teams", json={"name": "一時"}).status_code == 409
        assert admin.get(f"teams/{team['id']}").json()["name"] == "一時"
        assert admin.patch("teams/一時", json={"name": "改名"}).json()["id"] == team["id"]
        assert "改名" in [t["name"] for t in admin.get("teams").json()["data"]]
        assert admin.delete("teams/改名").status_code == 200
        assert admin.delete("teams/改名").status_code == 404

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"name": "n", "team": "nope"}, 404, "team_not_found"),
            ({"name": "n", "expires": "2001-01-01"}, 400, "usage"),
            ({"name": "n", "profile": "nope"}, 400, "unknown_profile"),
            ({"name": "n", "rpm": 0}, 400, "usage"),
            ({"name": ""}, 400, "usage"),
        ],
    )
    def test_what_cannot_be_is_said(self, admin: httpx.Client, body: dict[str, Any], status: int, code: str) -> None:
        answer = admin.post("keys", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)

    def test_every_act_is_recorded_without_the_key(self, admin: httpx.Client, gateway: RunningGateway) -> None:
        made = admin.post("keys", json={"name": "記録"})
        [intent], [outcome] = gateway.audit.of(made.headers["x-request-id"])
        assert (intent.surface, intent.action, intent.target, intent.job) == ("admin", "key.create", "記録", "")
        assert outcome.outcome == "ok"
        assert intent.key_id and made.json()["key"] not in repr(intent) + repr(outcome)
        refused = admin.delete("keys/nope")
        [intent], [outcome] = gateway.audit.of(refused.headers["x-request-id"])
        assert (intent.action, intent.target) == ("key.revoke", "nope")
        assert (outcome.outcome, outcome.error) == ("refused", "key_not_found")
        by_mistake = admin.delete(f"keys/{made.json()['key']}")
        assert made.json()["key"] not in repr(gateway.audit.of(by_mistake.headers["x-request-id"])[0])

    def test_nothing_is_done_that_cannot_be_recorded(self, admin: httpx.Client, gateway: RunningGateway) -> None:
        gateway.audit.broken = True
        try:
            assert admin.post("teams", json={"name": "unrecorded"}).status_code == 503
        finally:
            gateway.audit.broken = False
        assert admin.get("teams/unrecorded").status_code == 404


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def _home(self, home: Path, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KAKEHASHI_HOME", str(home))

    def run(self, command: Any, *arguments: str) -> Result:
        return CliRunner().invoke(command, arguments)

    def test_a_key_made_here_works_there_and_its_revocation_within_a_second(self, gateway: RunningGateway) -> None:
        made = json.loads(self.run(cli.key, "create", "--name", "cli", "--json").stdout)
        assert set(made) == {"id", "key"} and re.fullmatch(r"kk_[\w-]{43}", made["key"])
        assert asked(gateway, made["key"]) == 200
        assert "revoked" in self.run(cli.key, "revoke", made["id"]).output
        time.sleep(1)
        assert asked(gateway, made["key"]) == 401

    def test_lists_show_scopes_and_no_key(self) -> None:
        self.run(cli.team, "create", "本店")
        made = json.loads(
            self.run(
                cli.key, "create", "--name", "表", "--team", "本店", "--models", "a, b", "--tpm", "9", "--json"
            ).stdout
        )
        listed = self.run(cli.key, "list", "--team", "本店").stdout
        assert made["id"] in listed and "a,b" in listed and made["key"] not in listed
        assert [t["name"] for t in json.loads(self.run(cli.team, "list", "--json").stdout)].count("本店") == 1
        assert "本店" in self.run(cli.team, "list").stdout
        [row] = json.loads(self.run(cli.key, "list", "--prefix", made["key"], "--json").stdout)
        assert row["id"] == made["id"] and row["tpm"] == 9

    def test_the_key_alone_is_on_standard_output(self) -> None:
        result = self.run(cli.key, "create", "--name", "n")
        assert re.fullmatch(r"kk_[\w-]{43}\n", result.stdout)
        rotated = self.run(cli.key, "rotate", re.findall(r"key_\w+", result.stderr)[0], "--overlap", "1h")
        assert re.fullmatch(r"kk_[\w-]{43}\n", rotated.stdout)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("create", "--name", "n", "--team", "nope"), "There is no team 'nope'"),
            (("create", "--name", "n", "--expires", "someday"), "no expiry"),
            (("create", "--name", "n", "--models", " , "), "at least one model"),
            (("revoke", "nope"), "There is no key 'nope'"),
            (("rotate", "nope", "--overlap", "x"), "no span"),
        ],
    )
    def test_what_cannot_be_is_said(self, arguments: tuple[str, ...], message: str) -> None:
        result = self.run(cli.key, *arguments)
        assert isinstance(result.exception, KakehashiError) and message in str(result.exception)

    def test_every_act_is_recorded_in_the_real_log(self, home: Path) -> None:
        from gateway.audit.store import AuditStore, open_engine

        self.run(cli.team, "create", "記録課")
        engine = open_engine(f"sqlite:///{home}/gateway.db")
        entries = [json.loads(row.entry)["data"] for row in AuditStore(engine).find()]
        engine.dispose()
        [act] = [e for e in entries if e.get("action") == "team.create" and e["target"] == "記録課"]
        assert (act["surface"], act["app"], act["job"]) == ("admin", "cli", "")
