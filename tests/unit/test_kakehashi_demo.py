"""The demo's own logic: what it runs, and how it finds the requests that an output names."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakehashi import demo
from kakehashi.errors import KakehashiError, UpstreamError


@given(st.lists(st.text(min_size=1), max_size=5), st.lists(st.text(min_size=1), max_size=5))
def test_request_ids_are_found_at_any_depth(one: list[str], two: list[str]) -> None:
    output = {"items": [{"origin": {"request_ids": one}}, [{"deep": {"request_ids": two}}]], "n": 3, "s": "x"}
    assert demo.request_ids(output) == {*one, *two}


def test_the_bundled_input_is_there_and_named_in_the_commands(tmp_path: Path) -> None:
    minutes, deck = demo.steps(tmp_path)
    for step in (minutes, deck):
        for argument in step.arguments:
            if argument.startswith(str(demo.DEMO)):
                assert Path(argument).is_file()
    assert "--participants" in minutes.arguments
    assert deck.arguments.count("--evidence") >= 1


def fake_kakehashi(monkeypatch: pytest.MonkeyPatch, code: int, *, out: str = "") -> None:
    def run(*_: str, capture: bool = False) -> object:
        return type("Done", (), {"returncode": code, "stdout": out, "stderr": "engine: down"})()

    monkeypatch.setattr(demo, "kakehashi", run)


def step(out: Path) -> demo.Step:
    return demo.Step("minutes", [], out, ("minutes.json",))


def test_a_failed_step_ends_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_kakehashi(monkeypatch, 3)
    with pytest.raises(UpstreamError, match="exit code 3"):
        demo.run(step(tmp_path))


def test_a_missing_or_empty_output_ends_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_kakehashi(monkeypatch, 0)
    (tmp_path / "minutes.json").write_text("")
    with pytest.raises(KakehashiError, match=r"left no minutes\.json"):
        demo.run(step(tmp_path))
    (tmp_path / "minutes.json").write_text("{}")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "state.json").write_text("{}")
    _, files = demo.run(step(tmp_path))
    assert [f.name for f in files] == ["minutes.json"], "working files are not results"


@pytest.mark.parametrize(("engine", "expected"), [("running", True), ("external", True), ("starting", False)])
def test_whether_the_system_runs_is_read_from_its_status(
    engine: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = [{"name": "engine", "state": engine}, {"name": "gateway", "state": "running"}]
    fake_kakehashi(monkeypatch, 0, out=json.dumps({"components": states}))
    assert demo.running() is expected
