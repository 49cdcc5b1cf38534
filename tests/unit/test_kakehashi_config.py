"""``kakehashi config``: every error at once with its place and a fix; what is in force and where it comes from."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kakehashi.config import reach, rules
from kakehashi.config.check import check, hidden
from kakehashi.config.cli import config
from kakehashi.config.document import Place
from kakehashi.config.problems import Problem
from kakehashi.config.sources import OTHERS
from kakehashi.errors import ConfigError
from kakehashi.paths import Home
from kakehashi.settings import Settings, load


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path))
    return tmp_path


def checked(home: Path, text: str = "", **environment: str) -> list[Problem]:
    file = home / "config.yaml"
    file.write_text(text)
    file.chmod(0o600)
    return check(file, environment, Home(home))[1]


def by_key(problems: list[Problem]) -> dict[str, Problem]:
    return {problem.key: problem for problem in problems}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(config, list(arguments))


def test_defaults_have_no_problem(own_home: Path) -> None:
    assert check(own_home / "config.yaml", {}, Home(own_home))[1] == []
    result = run("check")
    assert result.exit_code == 0 and "no problem" in result.output


def test_every_error_is_told_at_once_with_line_column_and_fix(own_home: Path) -> None:
    found = by_key(checked(own_home, "langage: ja\ngateway:\n  prot: 1\n  port: many\nminutes: {parallel: 0}\n"))
    assert {key: (problem.place, problem.fix) for key, problem in found.items()} == {
        "langage": (Place(1, 1), "Did you mean language?"),
        "gateway.prot": (Place(3, 3), "Did you mean gateway.port?"),
        "gateway.port": (Place(4, 9), "Write a whole number; the default is 8080."),
        "minutes.parallel": (Place(5, 21), "Choose a number above 0; the default is 8."),
    }


@pytest.mark.parametrize(
    ("text", "key", "fix"),
    [
        ("admin_port: 9\n", "admin_port", "Did you mean gateway.admin_port?"),
        ("gateway: {whisper: x}\n", "gateway.whisper", "Did you mean minutes.whisper?"),
        ("language: jp\n", "language", "Did you mean ja?"),
        ("language: klingon\n", "language", "Choose one of: ja, en."),
        ("gateway: {audit_bodies: maybe}\n", "gateway.audit_bodies", "Write true or false"),
        ("gateway: 8080\n", "gateway", "indented"),
        ("engine: {extra_args: --x}\n", "engine.extra_args", "[one, two]"),
        ("gateway: {otlp_endpoint: 'collector:4318'}\n", "gateway.otlp_endpoint", "otlp_headers_file"),
        ("gateway: {database_url: mysql://x}\n", "gateway.database_url", "Begin it with sqlite:///"),
        ("gateway: {redis_url: localhost, database_url: postgresql://db}\n", "gateway.redis_url", "redis://"),
        ("minutes: {gateway_url: localhost}\n", "minutes.gateway_url", "http://"),
        ("engine: {model: nowhere}\n", "engine.model", "config explain engine.model"),
    ],
)
def test_a_fix_says_what_was_meant(own_home: Path, text: str, key: str, fix: str) -> None:
    [problem] = checked(own_home, text)
    assert problem.severity == "error" and problem.key == key and fix in problem.fix


@pytest.mark.parametrize(
    ("text", "line", "fix"),
    [
        ("gateway: [\n", 2, "bracket"),
        ("language: ja\ngateway:\n\tport: 1\n", 3, "Indent with spaces."),
        ("language: ja: en\n", 1, "quotes"),
        ('language: "ja\n', 2, "quotation mark"),
        ("- language\n", 1, "section"),
        ("language: !!python/object:os.system x\n", 1, "tag"),
        ("language: ja\nengine: {}\nlanguage: en\n", 3, "Keep one of them."),
    ],
)
def test_broken_yaml_is_told_with_its_place(own_home: Path, text: str, line: int, fix: str) -> None:
    [problem] = checked(own_home, text)
    assert problem.place and problem.place.line == line and fix in problem.fix


def test_a_file_that_is_no_text_is_told(own_home: Path) -> None:
    (own_home / "config.yaml").write_bytes("language: ja\n# 日本語\n".encode("shift_jis"))
    [problem] = [p for p in check(own_home / "config.yaml", {}, Home(own_home))[1] if p.severity == "error"]
    assert problem.place == Place(2, 1) and "UTF-8" in problem.message


def test_the_environment_is_judged_too_and_named(own_home: Path) -> None:
    found = checked(
        own_home,
        "gateway: {port: 9000}\n",
        KAKEHASHI_GATEWAY__PORT="many",
        KAKEHASHI_GATWAY__ADMIN_PORT="1",
        KAKEHASHI_GATEWAY__MODELS="not json",
        KAKEHASHI_GATEWAY="x",
        KAKEHASHI_SOMETHING="1",
        KAKEHASHI_HOME="/x",
        HOME="/x",
    )
    told = {problem.variable: problem for problem in found}
    assert told.keys() == {
        "KAKEHASHI_GATEWAY__PORT",
        "KAKEHASHI_GATWAY__ADMIN_PORT",
        "KAKEHASHI_GATEWAY__MODELS",
        "KAKEHASHI_GATEWAY",
        "KAKEHASHI_SOMETHING",
    }
    assert told["KAKEHASHI_GATWAY__ADMIN_PORT"].fix == "Did you mean KAKEHASHI_GATEWAY__ADMIN_PORT?"
    assert told["KAKEHASHI_SOMETHING"].severity == "warning"


def test_what_the_environment_overrides_is_still_wrong_in_the_file(own_home: Path) -> None:
    [problem] = checked(own_home, "gateway: {port: many}\n", KAKEHASHI_GATEWAY__PORT="9000")
    assert problem.file == own_home / "config.yaml" and problem.place == Place(1, 17)


class TestFiles:
    def test_a_missing_an_empty_and_an_open_secret_are_told(self, own_home: Path) -> None:
        empty, opened = own_home / "empty", own_home / "opened"
        empty.touch()
        opened.write_text("key")
        opened.chmod(0o644)
        text = (
            f"gateway: {{upstream: 'http://x/v1', upstream_api_key_file: {opened}}}\n"
            f"minutes: {{key_file: {empty}}}\nproposals: {{key_file: {own_home}/none}}\n"
        )
        found = by_key(checked(own_home, text))
        assert found["gateway.upstream_api_key_file"].fix == f"chmod 600 {opened}"
        assert "empty" in found["minutes.key_file"].message
        assert "There is no file" in found["proposals.key_file"].message
        opened.chmod(0o640)
        assert by_key(checked(own_home, text))["gateway.upstream_api_key_file"].severity == "warning"
        opened.chmod(0o600)
        assert "gateway.upstream_api_key_file" not in by_key(checked(own_home, text))

    def test_our_own_secrets_that_others_can_read_are_told(self, own_home: Path) -> None:
        secret = Home(own_home).make().secrets / "admin.key"
        secret.write_text("kk_x")
        secret.chmod(0o604)
        [problem] = checked(own_home)
        assert problem.file == secret and "chmod 600" in problem.fix

    def test_a_password_in_a_file_that_others_can_read_is_told_without_the_password(self, own_home: Path) -> None:
        file = own_home / "config.yaml"
        file.write_text("gateway: {database_url: 'postgresql://u:s3cret@db/x'}\n")
        file.chmod(0o644)
        [problem] = check(file, {}, Home(own_home))[1]
        assert "KAKEHASHI_GATEWAY__DATABASE_URL" in problem.fix and "s3cret" not in problem.line()

    def test_a_policy_is_checked_with_the_lines_of_its_own_file(self, own_home: Path) -> None:
        policy = own_home / "policy.yaml"
        policy.write_text(
            'name: x\nversion: "1"\nmessages:\n  default: {ja: a, en: b}\n  error: {ja: a}\nprofiles:\n  default:\n'
            "    input:\n      PERSON: {action: msk}\n      PERSN: {action: mask}\n      PHONE: {acton: mask}\n"
        )
        found = [p for p in checked(own_home, f"gateway: {{policy: {policy}}}\n") if p.file == policy]
        assert [(p.place.line if p.place else 0, p.fix) for p in found] == [
            (5, "See docs/guardrails.md."),
            (9, "Did you mean mask?"),
            (10, "Did you mean PERSON?"),
            (11, "See docs/guardrails.md."),
        ]

    def test_profiles_that_extend_each_other_are_told(self, own_home: Path) -> None:
        policy = own_home / "policy.yaml"
        policy.write_text(
            'name: x\nversion: "1"\nmessages: {default: {ja: a, en: b}, error: {ja: a, en: b}}\n'
            "profiles:\n  default: {extends: b}\n  b: {extends: default}\n"
        )
        [problem] = checked(own_home, f"gateway: {{policy: {policy}}}\n")
        assert "extend each other" in problem.message and problem.place and problem.place.line == 5


class TestCombinations:
    @pytest.mark.parametrize(
        ("settings", "key"),
        [
            ({"gateway": {"admin_port": 8080}}, "gateway.admin_port"),
            ({"minutes": {"port": 8000}}, "minutes.port"),
            ({"proposals": {"port": 70000}}, "proposals.port"),
            ({"gateway": {"trace_content": True}}, "gateway.trace_content"),
            ({"gateway": {"otlp_headers_file": "x"}}, "gateway.otlp_headers_file"),
            ({"gateway": {"idle_timeout_s": 0}}, "gateway.idle_timeout_s"),
            ({"minutes": {"max_upload_mib": -1}}, "minutes.max_upload_mib"),
        ],
    )
    def test_what_cannot_work_is_an_error_and_refused_at_the_start(
        self, own_home: Path, settings: dict[str, Any], key: str
    ) -> None:
        findings = [f for f in rules.combinations(Settings.model_validate(settings)) if f.severity == "error"]
        assert [finding.key for finding in findings] == [key]
        (own_home / "config.yaml").write_text(json.dumps(settings))
        with pytest.raises(ConfigError, match=key) as refused:
            load()
        assert refused.value.hint == findings[0].fix

    @pytest.mark.parametrize(
        ("settings", "key"),
        [
            ({"gateway": {"host": "0.0.0.0"}}, "gateway.host"),  # noqa: S104 - judged, not bound
            ({"gateway": {"redis_url": "redis://x"}}, "gateway.redis_url"),
            ({"minutes": {"user_header": "x-user", "host": "10.0.0.1"}}, "minutes.user_header"),
            ({"gateway": {"upstream": "http://a/v1"}, "engine": {"model": "http://b/v1"}}, "engine.model"),
            ({"gateway": {"upstream_api_key_file": "x"}}, "gateway.upstream_api_key_file"),
        ],
    )
    def test_what_reads_otherwise_than_it_works_is_a_warning(
        self, own_home: Path, settings: dict[str, Any], key: str
    ) -> None:
        (own_home / "config.yaml").write_text(json.dumps(settings))
        findings = list(rules.combinations(load()))
        assert [(finding.severity, finding.key) for finding in findings] == [("warning", key)]

    def test_the_engines_port_is_free_when_the_engine_is_elsewhere(self) -> None:
        settings = {"gateway": {"upstream": "http://gpu/v1"}, "minutes": {"port": 8000}}
        assert list(rules.combinations(Settings.model_validate(settings))) == []


class TestCommand:
    def test_errors_exit_with_the_code_of_bad_configuration(self, own_home: Path) -> None:
        (own_home / "config.yaml").write_text("gateway: {prot: 1}\n")
        result = run("check")
        assert result.exit_code == ConfigError.exit_code == 2
        assert f"{own_home}/config.yaml:1:11: error: gateway.prot" in result.output

    def test_json_is_for_scripts(self, own_home: Path) -> None:
        file = own_home / "other.yaml"
        file.write_text("gateway: {prot: 1}\n")
        result = run("check", "--json", "--file", str(file))
        answer = json.loads(result.stdout)
        assert result.exit_code == 2 and answer["ok"] is False
        assert answer["problems"][0] == {
            "severity": "error", "key": "gateway.prot", "message": "There is no such setting.", "file": str(file),
            "fix": "Did you mean gateway.port?", "line": 1, "column": 11, "variable": None,
        }  # fmt: skip

    def test_show_names_value_and_origin_and_hides_passwords(
        self, own_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (own_home / "config.yaml").write_text("language: en\ngateway:\n  database_url: postgresql://u:s3cret@db/x\n")
        monkeypatch.setenv("KAKEHASHI_GATEWAY__PORT", "9100")
        result = run("show", "--json")
        shown = json.loads(result.stdout)
        assert shown["gateway.database_url"] == {"value": "postgresql://u:••••@db/x", "origin": "config.yaml:3"}
        assert shown["gateway.port"] == {"value": 9100, "origin": "KAKEHASHI_GATEWAY__PORT"}
        assert shown["engine.port"] == {"value": 8000, "origin": "default"}
        assert "s3cret" not in run("show").output + run("explain", "gateway.database_url").output
        assert "engine.port" not in run("show", "--changed").output

    def test_explain_tells_meaning_type_default_variable_and_value(self, own_home: Path) -> None:
        (own_home / "config.yaml").write_text("gateway: {first_byte_timeout_s: 20}\n")
        output = run("explain", "gateway.first_byte_timeout_s").output
        for part in ("longest wait", "float", "300", "KAKEHASHI_GATEWAY__FIRST_BYTE_TIMEOUT_S", "20", "config.yaml:1"):
            assert part in output

    def test_explain_an_unknown_setting_suggests(self) -> None:
        result = run("explain", "gateway.prot")
        assert "gateway.port" in getattr(result.exception, "hint", "")

    def test_connect_asks_and_names_what_does_not_answer(self, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reach, "TIMEOUT_S", 0.5)
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
            settings = {
                "gateway": {
                    "upstream": f"{url}/v1",
                    "otlp_endpoint": url,
                    "redis_url": url.replace("http", "redis"),
                    "database_url": "postgresql://u@" + url.removeprefix("http://") + "/x",
                }
            }
            (own_home / "config.yaml").write_text(json.dumps(settings))
            result = run("check", "--connect", "--json")
        keys = {problem["key"] for problem in json.loads(result.stdout)["problems"]}
        names = ("upstream", "otlp_endpoint", "redis_url", "database_url")
        assert result.exit_code == 2 and keys == {f"gateway.{name}" for name in names}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://u:p@ss@db/x", "postgresql://u:••••@db/x"),
        ("redis://:pw@host", "redis://:••••@host"),
        ("http://host/v1", "http://host/v1"),
        ("embedded:qwen", "embedded:qwen"),
    ],
)
def test_passwords_are_hidden(address: str, shown: str) -> None:
    assert hidden(address) == shown


def test_a_variable_that_is_no_json_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKEHASHI_GATEWAY__MODELS", "nonsense")
    with pytest.raises(ConfigError, match="environment variable"):
        load()


def test_variables_of_ours_that_are_no_settings_are_known() -> None:
    assert "KAKEHASHI_HOME" in OTHERS
