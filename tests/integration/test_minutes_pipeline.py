"""Transcript → minutes → files, with a model that helps, one that talks nonsense, and none at all."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from docx import Document

from apps.common.client import Answer, Question
from apps.common.provenance import Origin
from apps.minutes import cli
from apps.minutes.model import Meeting, Minutes, Transcript
from apps.minutes.pipeline import Request, make_minutes, recheck, run
from kakehashi import settings
from kakehashi.errors import Cancelled, KakehashiError, NotReady, UpstreamError
from kakehashi.paths import CHECKOUT
from tests.helpers.gold import GOLD, load

GOLD_MEETING = load(GOLD / "dev" / "it_project.yaml", anonymous=True)
REQUEST = Request(GOLD_MEETING.meeting)


class Model:
    """Answers each question by a function of it; counts how many it was asked."""

    parallel = 4

    def __init__(self, answer: Callable[[Question], Any]) -> None:
        self.answer, self.asked = answer, 0

    def ask_many(self, questions: Sequence[Question]) -> list[Answer | KakehashiError]:
        self.asked += len(questions)
        return [self._one(q) for q in questions]

    def _one(self, question: Question) -> Answer | KakehashiError:
        data = self.answer(question)
        if isinstance(data, KakehashiError):
            return data
        origin = Origin(
            source="model", request_ids=["req_1"], model="m", prompt=question.prompt.ref, policy="minutes@1"
        )
        return Answer(json.dumps(data), data, origin, "stop", {})


def helpful(question: Question) -> Any:
    if "title" in question.prompt.id:
        return {"title": "移行リハーサル" if "リハーサルなんです" in question.values["lines"] else "SQLの見直し"}
    if "summary" in question.prompt.id:
        return {"text": "x"}
    return {
        "text": "課題管理表の古い課題を整理する" if "課題" in question.values["draft"] else question.values["draft"]
    }


def nonsense(question: Question) -> Any:
    return {"title": "宇宙旅行の予約", "text": "5億円で火星に支店を開設する。", "evidence": ["s0001"]}


def items(minutes: Minutes) -> list[Any]:
    return [*minutes.decisions, *minutes.actions, *minutes.open_questions]


def test_the_model_only_adds_what_the_lines_support(tmp_path: Path) -> None:
    result = make_minutes(GOLD_MEETING.transcript, REQUEST, client=Model(helpful), work=tmp_path)
    task = next(a for a in result.minutes.actions if "課題" in a.task)
    assert (task.task, task.origin and task.origin.source) == ("課題管理表の古い課題を整理する", "model")
    assert result.minutes.meta["request_ids"] == ["req_1"] and result.minutes.meta["policy"] == ["minutes@1"]
    assert "minutes.rewrite@1" in result.minutes.meta["prompts"]


def test_nonsense_of_the_model_changes_nothing(tmp_path: Path) -> None:
    plain = make_minutes(GOLD_MEETING.transcript, REQUEST, client=None, work=tmp_path)
    spoiled = make_minutes(GOLD_MEETING.transcript, REQUEST, client=Model(nonsense), work=tmp_path)
    assert [i.model_dump() for i in items(spoiled.minutes)] == [i.model_dump() for i in items(plain.minutes)]
    assert [t.title for t in spoiled.minutes.topics] == [t.title for t in plain.minutes.topics]


@pytest.mark.parametrize("data", [None, [], {"text": 3}, {"title": ""}, "words"])
def test_answers_of_the_wrong_shape_are_passed_over(tmp_path: Path, data: Any) -> None:
    result = make_minutes(GOLD_MEETING.transcript, REQUEST, client=Model(lambda q: data), work=tmp_path)
    assert result.error is None and len(result.minutes.actions) == 4


def test_without_a_model_the_rules_stand_and_the_stages_say_so(tmp_path: Path) -> None:
    down = Model(lambda q: NotReady("down", code="gateway_down"))
    result = make_minutes(GOLD_MEETING.transcript, REQUEST, client=down, work=tmp_path)
    assert result.error is not None and result.error.code == "gateway_down"
    assert set(result.minutes.stages.values()) == {"failed"}
    assert len(result.minutes.decisions) >= 2 and len(result.minutes.actions) == 4
    assert down.asked <= down.parallel, "a gateway that is down is not asked again and again"


def test_a_rerun_asks_only_what_failed(tmp_path: Path) -> None:
    first = Model(lambda q: UpstreamError("no", code="model_timeout") if "title" in q.prompt.id else helpful(q))
    assert make_minutes(GOLD_MEETING.transcript, REQUEST, client=first, work=tmp_path).error is not None
    second = Model(helpful)
    again = make_minutes(GOLD_MEETING.transcript, REQUEST, client=second, work=tmp_path)
    assert again.error is None and 0 < second.asked < first.asked


def test_cancelling_keeps_the_answers_so_far(tmp_path: Path) -> None:
    calls: list[float] = []

    def stop(stage: str, fraction: float, *, eta_s: float | None = None, detail: str = "") -> None:
        calls.append(fraction)
        if stage == "minutes" and fraction > 0:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        make_minutes(GOLD_MEETING.transcript, REQUEST, client=Model(helpful), work=tmp_path, progress=stop)
    assert list((tmp_path / "answers").glob("*.json"))


def test_all_files_of_a_run_hold_the_contract(tmp_path: Path) -> None:
    result = run(
        None, out=tmp_path, work=tmp_path / "work", request=REQUEST, settings=settings.load(),
        client=Model(helpful), transcript=GOLD_MEETING.transcript,
    )  # fmt: skip
    assert [p.name for p in result.files] == [
        "minutes.docx", "minutes.md", "minutes.json", "transcript.json", "transcript.srt",
    ]  # fmt: skip
    for name in ("minutes", "transcript"):
        schema = json.loads((CHECKOUT / "docs" / "schemas" / f"{name}.json").read_text())
        jsonschema.validate(json.loads((tmp_path / f"{name}.json").read_text()), schema)
    known = {s.id for s in GOLD_MEETING.transcript.segments}
    assert all(i.evidence and set(i.evidence) <= known and i.origin for i in items(result.minutes))
    assert "課題管理表の古い課題を整理する" in (tmp_path / "minutes.md").read_text()
    text = "\n".join(c.text for t in Document(str(tmp_path / "minutes.docx")).tables for r in t.rows for c in r.cells)
    assert "課題管理表の古い課題を整理する" in text
    assert not list(tmp_path.glob(".*part"))


def test_editing_a_cited_line_marks_the_item_and_undoing_clears_it(tmp_path: Path) -> None:
    result = make_minutes(GOLD_MEETING.transcript, REQUEST, client=None, work=tmp_path)
    target = next(d for d in result.minutes.decisions if "七年" in d.text)
    edited = GOLD_MEETING.transcript.model_copy(deep=True)
    line = next(s for s in edited.segments if s.id == target.evidence[0])
    other = next(s for s in edited.segments if s.id == target.evidence[1])
    before, line.text = line.text, line.text.replace("七年", "五年")
    other.text, kept = "はい五年で", other.text
    marked = recheck(result.minutes, edited)
    item = next(d for d in marked.decisions if d.id == target.id)
    assert item.check.status == "needs_review" and "七年" in item.check.reasons[0]
    line.text, other.text = before, kept
    assert next(d for d in recheck(marked, edited).decisions if d.id == target.id).check.status == "supported"


def test_rechecking_an_unchanged_transcript_changes_no_verdict(tmp_path: Path) -> None:
    for path in sorted((GOLD / "dev").glob("*.yaml")):
        gold = load(path)
        made = make_minutes(gold.transcript, Request(gold.meeting), client=None, work=tmp_path).minutes
        again = recheck(made, gold.transcript)
        assert [i.check for i in items(again)] == [i.check for i in items(made)], path.stem


def test_a_line_that_is_gone_marks_its_items(tmp_path: Path) -> None:
    result = make_minutes(GOLD_MEETING.transcript, REQUEST, client=None, work=tmp_path)
    emptied = Transcript(language="ja", segments=[])
    assert all(i.check.status == "needs_review" for i in items(recheck(result.minutes, emptied)))


def test_an_empty_meeting_gives_empty_minutes(tmp_path: Path) -> None:
    request = Request(Meeting(title="無言"))
    result = make_minutes(Transcript(language="ja", segments=[]), request, client=Model(helpful), work=tmp_path)
    assert items(result.minutes) == [] and set(result.minutes.stages.values()) == {"none"}


def test_a_briefing_without_decisions_stays_without(tmp_path: Path) -> None:
    gold = load(GOLD / "heldout" / "briefing_no_decisions.yaml")
    result = make_minutes(gold.transcript, Request(gold.meeting), client=None, work=tmp_path)
    assert result.minutes.decisions == []


# ── command line ────────────────────────────────────────────────────────────────────────────────────────────────────


def _transcript_file(folder: Path) -> Path:
    file = folder / "given.json"
    file.write_text(GOLD_MEETING.transcript.model_dump_json())
    return file


def _command(folder: Path, *more: str) -> list[str]:
    return ["run", "--transcript", str(_transcript_file(folder)), "--out", str(folder / "out"), *more]


def test_without_a_gateway_the_files_are_written_and_the_exit_code_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KAKEHASHI_KEY", raising=False)
    done = CliRunner().invoke(
        cli.minutes, _command(tmp_path, "--date", "令和8年8月18日", "--participants", "村上、坂本")
    )
    assert isinstance(done.exception, NotReady) and done.exception.exit_code == 3
    made = json.loads((tmp_path / "out" / "minutes.json").read_text())
    assert made["meeting"] == {"title": "given", "date": "2026-08-18", "participants": ["村上", "坂本"]}
    assert set(made["stages"].values()) == {"failed"} and made["actions"]
    assert (tmp_path / "out" / "transcript.srt").stat().st_size > 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--date", "someday"], "--date"),
        (["--glossary", "/nowhere/terms.txt"], "terms.txt"),
        (["--key-file", "/nowhere/the.key"], "the.key"),
    ],
)
def test_bad_arguments_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str], words: str) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(cli.minutes, _command(tmp_path, *more))
    assert isinstance(done.exception, KakehashiError) and words in done.exception.message
    assert not (tmp_path / "out" / "minutes.json").exists()
