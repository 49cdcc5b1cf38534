"""Brief → deck with a model that answers well, badly, late or not at all; resume, regenerate, wording, command line."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pptx import Presentation

from apps.common.client import Answer, GatewayClient, Question
from apps.common.provenance import Origin
from apps.proposals import connect, pipeline
from apps.proposals.model import Storyline
from apps.proposals.pipeline import Models, Request
from apps.proposals.writing.wording import GuardScanner
from kakehashi import settings
from kakehashi.cli import main
from kakehashi.errors import BadInput, Cancelled, KakehashiError, NotReady, UpstreamError
from tests.helpers import templates
from tests.helpers.proposal_files import BRIEFS, INJECTION, results_xlsx

BRIEF = BRIEFS / "dev" / "fx_manufacturer.yaml"
TODAY = date(2026, 11, 23)


class Pen:
    """A model with a fixed answer; it keeps what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    def ask_many(self, questions: Sequence[Question]) -> list[Answer | KakehashiError]:
        return [self._answer(q) for q in questions]

    def _answer(self, question: Question) -> Answer:
        self.asked.append(json.dumps(question.prompt.render(**question.values), ensure_ascii=False))
        text = self.answers[len(self.asked) % len(self.answers)]
        key = "message" if question.prompt.id == "proposals.message" else "line"
        origin = Origin(
            source="model", request_ids=[f"r{len(self.asked)}"], model="m", prompt=question.prompt.ref, policy="p@1"
        )
        return Answer("", {key: text}, origin, "stop", {"input": 10, "output": 5})


GOOD = (
    "為替予約と資金管理クラウドで営業利益のぶれと手作業を減らします",
    "資金繰り表の作成時間{{E4}}を見直し、利益の変動に備えます",
    "営業利益の変動により、予算の見通しが立てにくい状況です",
)


def request(*evidence: Path, slides: int | None = None) -> Request:
    return Request(BRIEF, evidence, slides=slides, today=TODAY)


def test_good_wording_is_used_with_its_origin(tmp_path: Path) -> None:
    draft = pipeline.build(request(), Models(Pen(*GOOD)), work=tmp_path)
    lines = [b for s in draft.deck.slides for b in s.body if b.origin]
    assert lines and all(b.origin and b.origin.request_ids for b in lines)
    assert (
        draft.deck.meta["models"] == ["m"]
        and "proposals.message@1" in draft.deck.meta["prompts"]
        and draft.deck.meta["policies"] == ["p@1"]
    )
    assert not [n for n in draft.report.numbers if n.status == "untraced"]


@pytest.mark.parametrize(
    "answer", ["売上を3倍にします", "", "業界No.1の東京商事が必ず成功させます", "{{E99}}を実現します", "x" * 500]
)
def test_bad_wording_never_reaches_the_deck(answer: str, tmp_path: Path) -> None:
    plain = pipeline.build(request(), Models(), work=tmp_path / "a")
    tried = pipeline.build(request(), Models(Pen(answer)), work=tmp_path / "b")
    assert [s.model_dump() for s in tried.deck.slides] == [s.model_dump() for s in plain.deck.slides]
    assert tried.report.meta["rejected"] > 0 and tried.error is None


def test_figures_and_hidden_instructions_never_reach_the_model(tmp_path: Path) -> None:
    pen = Pen(*GOOD)
    note = tmp_path / "memo.md"
    note.write_text(f"為替予約の比率は30%です。\n\n{INJECTION}\n", "utf-8")
    pipeline.build(request(results_xlsx(tmp_path / "results.xlsx"), note), Models(pen), work=tmp_path / "w")
    everything = "".join(pen.asked)
    assert "元本保証" not in everything and "無視して" not in everything
    assert "1,200万" not in everything and "30%" not in everything
    assert "<<<DOCUMENT" in everything


def test_without_a_gateway_the_deck_is_complete_and_the_report_says_so(tmp_path: Path) -> None:
    client = GatewayClient("http://127.0.0.1:18499/v1", "kk_x", timeout_s=2)
    draft = pipeline.build(
        request(), Models(client, GuardScanner("http://127.0.0.1:18499/v1", "kk_x", timeout_s=2)), work=tmp_path
    )
    assert isinstance(draft.error, NotReady)
    assert len(draft.deck.slides) == 12
    assert draft.report.meta["stages"]["storyline"] == "failed" and draft.report.meta["stages"]["wording"] == "failed"
    assert {"model_unavailable", "wording_not_checked"} <= {f.rule for f in draft.report.findings}
    again = pipeline.build(
        request(), Models(Pen(*GOOD)), work=tmp_path
    )  # what failed is done anew, not taken from the work folder
    assert again.report.meta["stages"]["storyline"] == "done" and any(
        b.origin for s in again.deck.slides for b in s.body
    )


def test_a_killed_run_goes_on_without_asking_twice(tmp_path: Path) -> None:
    def stop(stage: str, fraction: float, *, eta_s: float | None = None, detail: str = "") -> None:
        if stage == "checks":
            raise Cancelled("stopped")

    pen = Pen(*GOOD)
    with pytest.raises(Cancelled):
        pipeline.build(request(), Models(pen), work=tmp_path, progress=stop)
    asked = len(pen.asked)
    draft = pipeline.build(request(), Models(pen), work=tmp_path)
    assert len(pen.asked) == asked and any(b.origin for s in draft.deck.slides for b in s.body)


def test_changed_inputs_start_anew(tmp_path: Path) -> None:
    pen = Pen(*GOOD)
    pipeline.build(request(), Models(pen), work=tmp_path)
    asked = len(pen.asked)
    (tmp_path / "kept-by-others").touch()
    pipeline.build(request(slides=9), Models(pen), work=tmp_path)
    assert len(pen.asked) > asked and (tmp_path / "kept-by-others").exists()


def test_an_edited_storyline_is_followed(tmp_path: Path) -> None:
    planned = pipeline.plan(request(), Models(), work=tmp_path).storyline
    points = [p for p in planned.points if p.kind != "process"]
    points[3].message = "利益のぶれを先に解決します"
    draft = pipeline.build(request(), Models(), work=tmp_path, storyline=Storyline(title=planned.title, points=points))
    assert draft.deck.slides[3].title == "利益のぶれを先に解決します"
    assert "process" not in [s.kind for s in draft.deck.slides]


def test_one_slide_is_written_anew_and_the_others_stay(tmp_path: Path) -> None:
    first = pipeline.build(request(), Models(), work=tmp_path).deck
    pen = Pen(*GOOD)
    second = pipeline.regenerate(request(), "issues", Models(pen), work=tmp_path, instruction="もっと簡潔に").deck
    assert "もっと簡潔に" in pen.asked[0]
    changed = [s.id for s, t in zip(first.slides, second.slides, strict=True) if s != t]
    assert changed == ["issues"]
    with pytest.raises(BadInput, match="no-such"):
        pipeline.regenerate(request(), "no-such", Models(), work=tmp_path)


class _Guard(BaseHTTPRequestHandler):
    """A gateway that objects to one word."""

    def do_POST(self) -> None:
        if not self.path.endswith("/guard/scan"):
            self.send_error(404)
            return
        inputs = json.loads(self.rfile.read(int(self.headers["content-length"])))["inputs"]
        results = [
            {
                "action": "flag",
                "text": i["text"],
                "findings": [
                    {
                        "start": i["text"].index("予約"),
                        "end": i["text"].index("予約") + 2,
                        "type": "REGULATED_WORDING",
                        "rule": "test",
                        "confidence": 1,
                        "law": "金商法37条",
                        "suggestion": "先物取引",
                    }
                ]
                if "予約" in i["text"]
                else [],
            }
            for i in inputs
        ]
        body = json.dumps({"results": results, "policy": "test@1"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def guard() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Guard)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_wording_is_flagged_in_the_brief_and_removed_from_the_model(guard: str, tmp_path: Path) -> None:
    pen = Pen("為替予約により、営業利益のぶれを抑えます")
    draft = pipeline.build(request(), Models(pen, GuardScanner(guard, "x")), work=tmp_path)
    wording = [f for f in draft.report.findings if f.rule == "wording.test"]
    assert {f.status for f in wording} == {"open", "fixed"}
    assert all("金商法37条" in f.message and "言い換え：先物取引" in f.message for f in wording)
    assert not any("予約" in b.text for s in draft.deck.slides for b in s.body if b.origin)
    assert draft.deck.meta["policies"] == ["p@1", "test@1"]


def test_the_command_writes_all_files_and_says_when_the_model_was_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path))  # no LibreOffice here: a missing preview is no failure
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stopped:
        main(["proposals", "run", str(BRIEF), "--evidence", str(results_xlsx(tmp_path / "r.xlsx")), "--out", str(out)])
    assert stopped.value.code == 3
    deck, report = json.loads((out / "deck.json").read_text()), json.loads((out / "report.json").read_text())
    assert len(Presentation(str(out / "deck.pptx")).slides) >= len(deck["slides"])
    assert {"numbers", "findings", "contradictions", "meta"} == set(report)
    assert report["meta"]["stages"]["preview"] == "failed"


def test_the_command_refuses_bad_input_with_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path / "home"))
    with pytest.raises(SystemExit) as stopped:
        main(["proposals", "run", str(BRIEFS / "heldout" / "missing_needs.yaml"), "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert "課題・ニーズ（needs）" in capsys.readouterr().err


def test_the_storyline_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path / "home"))
    main(["proposals", "plan", str(BRIEF), "--json"])
    story = Storyline.model_validate_json(capsys.readouterr().out)
    assert [p.kind for p in story.points][:3] == ["title", "agenda", "summary"]


def test_the_report_on_a_template_is_readable_and_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path / "home"))
    template = str(templates.no_body(tmp_path))
    main(["proposals", "check-template", template])
    told = capsys.readouterr().out
    assert "no_body.pptx: 使えます" in told and "表紙 → 「Title Slide」（1番目" in told and "本文の枠がない" in told
    assert "{" not in told
    main(["proposals", "check-template", template, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] and report["mapping"]["title"]["name"] == "Title Slide"
    monkeypatch.setenv("KAKEHASHI_LANGUAGE", "en")
    main(["proposals", "check-template", template])
    assert not any("ぁ" <= c <= "鿿" for c in capsys.readouterr().out)


def test_a_template_without_layouts_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path / "home"))
    bare = Presentation()
    for layout in list(bare.slide_layouts):
        bare.slide_layouts.remove(layout)
    bare.save(str(tmp_path / "bare.pptx"))
    for command in (["check-template"], ["run", str(BRIEF), "--out", str(tmp_path / "out"), "--template"]):
        with pytest.raises(SystemExit) as stopped:
            main(["proposals", *command, str(tmp_path / "bare.pptx")])
        assert stopped.value.code == 2
        assert "スライドマスターにレイアウトを追加" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


class Hung:
    """A model that takes its time and then says nothing; it counts how often it was asked."""

    def __init__(self) -> None:
        self.rounds = 0

    def ask_many(self, questions: Sequence[Question]) -> list[Answer | KakehashiError]:
        self.rounds += 1
        return [UpstreamError("The model did not answer in time.", code="model_timeout") for _ in questions]


def test_a_hung_model_is_waited_for_once_and_the_report_says_how_long(tmp_path: Path) -> None:
    hung = Hung()
    draft = pipeline.build(request(), Models(hung, budget_s=60), work=tmp_path)
    assert hung.rounds == 1  # the storyline; the slides do not wait for it again
    assert draft.report.meta["model_budget_s"] == 60
    assert any(f.rule == "model_unavailable" and "60秒" in f.message for f in draft.report.findings)


def test_the_time_for_a_step_comes_from_the_settings_and_covers_all_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAKEHASHI_HOME", str(tmp_path))
    monkeypatch.setenv("KAKEHASHI_PROPOSALS__REQUEST_TIMEOUT_S", "1.2")
    key = tmp_path / "key"
    key.write_text("kk_x")
    silent = socket.create_server(("127.0.0.1", 0))  # takes the connection and never answers
    url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
    models, missing = connect.models(settings.load(), gateway=url, key_file=key)
    assert missing is None and models.budget_s == 1.2
    started = time.monotonic()
    with silent:
        draft = pipeline.build(request(), Models(models.asker, None, models.budget_s), work=tmp_path / "w")
    assert time.monotonic() - started < 15
    assert draft.report.meta["stages"]["storyline"] == "failed" and len(draft.deck.slides) == 12
