"""``kakehashi gateway``: the same acts as on the admin API, from a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.admin_cli import gateway as command
from kakehashi.errors import KakehashiError, NotReady, UsageError
from tests.helpers.adapters import make_adapter
from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.running_gateway import RunningGateway, running_gateway

NAME = "fin@0123456789ab"
Run = Callable[..., str]


@pytest.fixture
def gateway(upstream: FakeUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    upstream.adapters = True
    make_adapter(tmp_path, NAME)
    with running_gateway(tmp_path, monkeypatch, upstream.url) as server:
        yield server


@pytest.fixture
def run(gateway: RunningGateway, tmp_path: Path) -> Run:
    key = tmp_path / "admin.key"
    key.write_text(gateway.key(admin=True) + "\n")

    def run(*arguments: str, url: str = gateway.admin_url, stdin: str = "") -> str:
        result = CliRunner().invoke(
            command, ["--url", url, "--key-file", str(key), *arguments], input=stdin, catch_exceptions=True
        )
        if isinstance(result.exception, KakehashiError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_adapters_are_loaded_listed_and_withdrawn(run: Run) -> None:
    assert json.loads(run("adapters", "load", NAME))["wanted"] is True
    assert NAME in run("adapters", "list") and json.loads(run("adapters", "list", "--json"))[0]["wanted"]
    assert json.loads(run("adapters", "withdraw", NAME))["wanted"] is False


def test_routes_are_set_by_words_or_by_a_file_and_taken_back(run: Run) -> None:
    told = json.loads(run("routes", "set", "assist", "qwen-test=95", "other=5", "--sticky", "key", "--shadow", "x=0.1"))
    assert [(t["model"], t["weight"]) for t in told["route"]["targets"]] == [("qwen-test", 95), ("other", 5)]
    assert (told["route"]["sticky"], told["route"]["shadow"]) == ("key", {"model": "x", "share": 0.1})
    assert "qwen-test=95,other=5" in run("routes", "list")
    told = json.loads(run("routes", "set", "assist", "--file", "-", stdin="targets: [{model: other}]"))
    assert told["route"]["targets"][0]["model"] == "other"
    assert json.loads(run("routes", "reset", "assist"))["source"] == "none"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("adapters", "load", "fin@000000000000"), "no adapter"),
        (("routes", "set", "assist"), "MODEL=WEIGHT"),
        (("routes", "set", "assist", "a=b"), "MODEL=NUMBER"),
        (("routes", "set", "assist", "a=0"), "weight"),
        (("routes", "reset", "assist"), "not set"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run(*arguments)


def test_no_gateway_and_no_key_are_told_apart(run: Run, gateway: RunningGateway, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="does not answer"):
        run("routes", "list", url="http://127.0.0.1:9")
    (tmp_path / "admin.key").write_text(gateway.key())
    with pytest.raises(UsageError, match="admin key"):
        run("routes", "list")
    (tmp_path / "admin.key").unlink()
    with pytest.raises(UsageError, match="no admin key"):
        run("routes", "list")
