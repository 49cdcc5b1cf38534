"""Prompts are versioned files; slots are filled once and only where the file has them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kakehashi import prompts
from kakehashi.errors import ConfigError
from kakehashi.prompts import Message, Prompt

SIMPLE = Prompt(
    id="t.simple", version="1", description="", messages=[Message(role="user", content="A {one} B {two} {ten!} {}")]
)


@given(one=st.text(), two=st.text())
def test_values_go_in_as_they_are_even_with_braces(one: str, two: str) -> None:
    assert SIMPLE.render(one=one, two=two)[0]["content"] == f"A {one} B {two} {{ten!}} {{}}"


def test_a_missing_value_is_named() -> None:
    with pytest.raises(ConfigError, match=r"t\.simple@1.*'two'"):
        SIMPLE.render(one="x")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(prompts, "PROMPTS", tmp_path)
    prompts.load.cache_clear()
    (tmp_path / "t.a").mkdir()
    for version in ("2", "10", "1"):
        data = {"id": "t.a", "version": version, "description": "d", "messages": [{"role": "user", "content": "x"}]}
        (tmp_path / "t.a" / f"{version}.yaml").write_text(yaml.safe_dump(data))
    yield tmp_path
    prompts.load.cache_clear()


def test_the_highest_version_is_current_unless_one_is_pinned(folder: Path) -> None:
    assert prompts.load("t.a").ref == "t.a@10"
    prompts.load.cache_clear()
    (folder / "t.a" / "current").write_text("2\n")
    assert prompts.load("t.a").ref == "t.a@2"
    assert prompts.load("t.a", "1").ref == "t.a@1"
    assert prompts.ids() == ["t.a"]


def test_the_hash_follows_the_file(folder: Path) -> None:
    assert prompts.load("t.a", "1").sha256 != prompts.load("t.a", "2").sha256


def test_what_does_not_exist_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"t\.b"):
        prompts.load("t.b")
    with pytest.raises(ConfigError, match="version '7'"):
        prompts.load("t.a", "7")


def test_every_prompt_of_the_product_loads_and_is_named_like_its_file() -> None:
    prompts.load.cache_clear()
    for prompt_id in prompts.ids():
        for version in prompts.versions(prompt_id):
            prompt = prompts.load(prompt_id, version)
            assert (prompt.id, prompt.version) == (prompt_id, version)
            assert prompt.messages and prompt.description
