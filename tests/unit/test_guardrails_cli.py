"""``kakehashi guard``: one answer for each line, problems told with their line, a policy tested against itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.guardrails.cli import guard
from kakehashi.errors import ConfigError

CLAIM = {"text": "この投資信託は必ず値上がりします。", "source": "document"}


def scanned(*lines: object, options: tuple[str, ...] = ()) -> Result:
    raw = "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    return CliRunner().invoke(guard, ["scan", *options], input=raw)


def answers(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_line_is_answered_in_order_and_blank_lines_are_skipped() -> None:
    result = scanned({"text": "山田太郎様から入電"}, "", {"text": "本日は晴れ"})
    assert result.exit_code == 0
    assert [answer["action"] for answer in answers(result)] == ["mask", "allow"]
    assert answers(result)[0]["text"] == "[[PERSON_1]]様から入電"


def test_wording_comes_with_its_law_and_a_suggestion() -> None:
    [answer] = answers(scanned(CLAIM))
    [finding] = answer["findings"]  # type: ignore[misc]
    assert finding["rule"] == "wording.definitive"
    assert "38条" in finding["law"] and finding["suggestion"]


def test_findings_without_a_law_do_not_name_one() -> None:
    [answer] = answers(scanned({"text": "taro@example.co.jp"}))
    assert "law" not in answer["findings"][0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", 'an object with a string "text"'),
        ('{"text": 1}', 'an object with a string "text"'),
        ('{"text": "x", "source": "mail"}', '"source" must be one of'),
    ],
)
def test_a_wrong_line_is_told_with_its_number_and_the_others_are_answered(line: str, said: str) -> None:
    result = scanned({"text": "x"}, line, {"text": "y"})
    assert result.exit_code == 2
    assert "line 2" in result.stderr and said in result.stderr
    assert [("error" in answer) for answer in answers(result)] == [False, True, False]


def test_an_unknown_profile_is_told_before_the_first_line() -> None:
    result = scanned({"text": "x"}, options=("--profile", "none"))
    assert isinstance(result.exception, ConfigError) and result.stdout == ""


def test_the_bundled_policy_passes_its_own_cases() -> None:
    result = CliRunner().invoke(guard, ["test"])
    assert result.exit_code == 0 and "12 of 12" in result.stdout


def test_a_case_that_does_not_come_out_is_told(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    message = "{ja: 不可, en: denied}"
    policy.write_text(
        f"name: t\nversion: '1'\nmessages: {{default: {message}, error: {message}}}\nprofiles: {{default: {{}}}}\n"
        "cases: [{text: taro@example.co.jp, action: mask, types: [EMAIL]}]\n",
        encoding="utf-8",
    )
    result = CliRunner().invoke(guard, ["test", "--policy", str(policy)])
    assert result.exit_code == 1
    assert "wanted mask ['EMAIL'], got allow []" in result.stderr
