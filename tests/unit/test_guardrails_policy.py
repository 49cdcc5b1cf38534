"""Policy files: what is wrong with one is told with its place, and what is right does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.guardrails.engine import Engine
from gateway.guardrails.policy import load_policy, read_policy
from kakehashi.errors import ConfigError

MESSAGE = {"ja": "不可", "en": "no"}
MAIL = "連絡先は taro@example.co.jp です"


def policy(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "name": "test",
        "version": "1",
        "messages": {"default": MESSAGE, "error": MESSAGE},
        "profiles": {"default": {"input": {"EMAIL": {"action": "mask"}}}},
    }
    return {**base, **changes}


def written(path: Path, content: Any) -> Path:
    file = path / "policy.yaml"
    file.write_text(
        content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True), encoding="utf-8"
    )
    return file


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: [", "not valid YAML"),
        ("- 1", "must be a mapping"),
        (policy(name="Has Blanks"), "name"),
        (policy(surprise=1), "surprise"),
        (policy(default_profile="none"), "default_profile"),
        (policy(messages={"default": MESSAGE}), "error"),
        (policy(profiles={"default": {"extends": "gone"}}), "gone"),
        (policy(profiles={"default": {"input": {"NOTHING": {"action": "mask"}}}}), "NOTHING"),
        (policy(profiles={"default": {"input": {"EMAIL": {"action": "burn"}}}}), "action"),
        (policy(profiles={"default": {"input": {"EMAIL": {"action": "mask", "on_error": "flag"}}}}), "on_error"),
        (policy(cases=[{"text": "x", "profile": "gone", "action": "allow"}]), "gone"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_path_and_what_is_wrong(tmp_path: Path, content: Any, said: str) -> None:
    file = written(tmp_path, content)
    with pytest.raises(ConfigError) as caught:
        read_policy(file)
    assert said in caught.value.message and str(file) in caught.value.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot read"):
        read_policy(tmp_path / "none.yaml")


def test_profiles_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    circle = policy(profiles={"default": {"extends": "b"}, "b": {"extends": "default"}})
    with pytest.raises(ConfigError, match="extend each other"):
        read_policy(written(tmp_path, circle)).profile("default")


def test_an_unknown_profile_names_those_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        load_policy().scan("x", profile="none")
    assert "strict" in (caught.value.hint or "")


def test_a_profile_inherits_and_overrides(tmp_path: Path) -> None:
    profiles = {
        "default": {"input": {"EMAIL": {"action": "mask"}, "PHONE": {"action": "mask"}}},
        "watch": {"extends": "default", "input": {"EMAIL": {"action": "flag"}}},
    }
    guard = load_policy(written(tmp_path, policy(profiles=profiles)))
    assert guard.scan(MAIL).action == "mask"
    assert guard.scan(MAIL, profile="watch").action == "flag"
    assert guard.scan("電話 090-1234-5678", profile="watch").action == "mask"


def test_shadow_mode_reports_and_changes_nothing(tmp_path: Path) -> None:
    profiles = {"default": {"input": {"EMAIL": {"action": "block", "shadow": True}}}}
    verdict = load_policy(written(tmp_path, policy(profiles=profiles))).scan(MAIL)
    assert verdict.action == "allow" and verdict.text == MAIL
    assert [f.shadow for f in verdict.findings] == [True]


def test_thresholds_and_rules_decide(tmp_path: Path) -> None:
    profiles = {
        "default": {"input": {"EMAIL": {"action": "flag", "threshold": {"user": 0.99}}}},
        "sure": {"input": {"EMAIL": {"action": "flag", "block_from": {"user": 0.9}}}},
        "off": {"input": {"EMAIL": {"action": "mask"}}, "rules": {"email.": {"off": True}}},
    }
    guard = load_policy(written(tmp_path, policy(profiles=profiles)))
    assert guard.scan(MAIL).findings == ()
    assert guard.scan(MAIL, source="tool").action == "flag"
    assert guard.scan(MAIL, profile="sure").action == "block"
    assert guard.scan(MAIL, profile="off").findings == ()


def test_a_detector_that_fails_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(view: object) -> list[Any]:
        raise ValueError("broken")

    monkeypatch.setattr("gateway.guardrails.injection.detect", broken)
    verdict = Engine(read_policy()).scan("何でもない文章です。")
    assert verdict.action == "block" and verdict.text == ""
    assert [f.rule for f in verdict.findings] == ["injection.error"]
