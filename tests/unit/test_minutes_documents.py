"""The documents: everything that must be read is there, in Word and Markdown, Japanese and English."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from docx import Document
from docx.oxml.ns import qn
from hypothesis import given
from hypothesis import strategies as st
from openxml_audit import OpenXmlValidator

from apps.common.properties import custom_xml, provenance
from apps.common.provenance import Check, Origin
from apps.minutes.documents import to_markdown, write_word
from apps.minutes.documents.labels import LABELS, Language
from apps.minutes.documents.layout import clock, day
from apps.minutes.model import ActionItem, Meeting, Minutes, NextMeeting, Segment, Statement, Topic, Transcript

ORIGIN = Origin(source="model", request_ids=["req_1"], model="qwen2.5-1.5b", prompt="minutes.points@1", policy="p@2")


def transcript() -> Transcript:
    lines = ["開始します。", "本店で12月9日に開催します。", "田中さん、案内状をお願いします。", "承知しました。"]
    segments = [
        Segment(id=f"s{n:04d}", start=40.0 * n, end=40.0 * n + 30, speaker="田中" if n == 4 else "佐藤", text=text)
        for n, text in enumerate(lines, 1)
    ]
    return Transcript(language="ja", segments=segments)


def sample() -> Minutes:
    review = Check(status="needs_review", reasons=["期限の日付が根拠の発言にありません"])
    return Minutes(
        meeting=Meeting(title="定例会議", date="2026-11-24", participants=["佐藤", "田中"]),
        topics=[
            Topic(
                title="相談会",
                start=40.0,
                points=[Statement(text="本店で開催する。", evidence=["s0002"], origin=ORIGIN)],
            )
        ],
        decisions=[Statement(text="12月9日に本店で開催する。", evidence=["s0002"])],
        actions=[
            ActionItem(
                task="案内状を作る。",
                owner="田中",
                due="2026-11-30",
                due_text="月末まで",
                evidence=["s0003", "s0004"],
                check=review,
            )
        ],
        stages={"open_questions": "failed"},
        meta={"model": "qwen2.5-1.5b", "request_ids": ["req_1"], "transcript_sha256": "ab" * 32},
    )


def word_text(path: Path) -> str:
    document = Document(str(path))
    cells = [c.text for t in document.tables for r in t.rows for c in r.cells]
    return "\n".join([p.text for p in document.paragraphs] + cells)


def written(path: Path, language: Language, minutes: Minutes | None = None) -> dict[str, str]:
    minutes = minutes or sample()
    write_word(minutes, transcript(), path, language)
    return {"word": word_text(path), "markdown": to_markdown(minutes, transcript(), language).replace("\\", "")}


@pytest.mark.parametrize("language", ["ja", "en"])
def test_both_documents_say_the_same(tmp_path: Path, language: Language) -> None:
    for text in written(tmp_path / "m.docx", language).values():
        for part in (
            "定例会議",
            "12月9日に本店で開催する。",
            "案内状を作る。",
            "田中",
            "月末まで",
            "[1:20 佐藤]",
            "qwen2.5-1.5b",
        ):
            assert part in text
        assert LABELS[language]["failed"] in text, "a failed section is not an empty one"
        assert "期限の日付が根拠の発言にありません" in text


def test_an_empty_section_is_said_to_be_empty(tmp_path: Path) -> None:
    minutes = Minutes(meeting=Meeting(title="x"))
    for text in written(tmp_path / "m.docx", "ja", minutes).values():
        assert text.count("該当なし") == 4
        assert "失敗" not in text


def test_a_section_that_rules_alone_could_make_is_not_called_failed(tmp_path: Path) -> None:
    minutes = sample().model_copy(update={"stages": {"decisions": "failed"}})
    for text in written(tmp_path / "m.docx", "ja", minutes).values():
        assert LABELS["ja"]["rules_only"] in text and LABELS["ja"]["failed"] not in text


def test_an_open_owner_or_due_date_is_shown_as_open(tmp_path: Path) -> None:
    minutes = Minutes(meeting=Meeting(title="x"), actions=[ActionItem(task="調べる")])
    assert written(tmp_path / "m.docx", "ja", minutes)["markdown"].count("未定") == 2


def test_the_word_file_is_valid_and_every_run_has_an_east_asian_face(tmp_path: Path) -> None:
    path = tmp_path / "議事録.docx"
    written(path, "ja")
    assert [str(e) for e in OpenXmlValidator().validate(str(path)).errors] == []
    document = Document(str(path))
    runs = [r for p in document.element.body.iter(qn("w:p")) for r in p.iter(qn("w:r"))]
    assert len(runs) > 20
    for run in runs:
        assert run.find(qn("w:rPr")).find(qn("w:rFonts")).get(qn("w:eastAsia"))
    assert [p.name for p in tmp_path.iterdir()] == ["議事録.docx"], "no temporary file stays"


def test_the_word_file_carries_its_origin(tmp_path: Path) -> None:
    written(tmp_path / "m.docx", "ja")
    with zipfile.ZipFile(tmp_path / "m.docx") as package:
        custom = package.read("docProps/custom.xml").decode()
    assert 'name="kakehashi.model"' in custom and "req_1" in custom and "ab" * 32 in custom


@given(st.text(max_size=60))
def test_no_text_of_a_meeting_breaks_a_document(text: str) -> None:
    import tempfile

    minutes = Minutes(meeting=Meeting(title=text), decisions=[Statement(text=text)], topics=[Topic(title=text)])
    with tempfile.TemporaryDirectory() as folder:
        write_word(minutes, transcript(), Path(folder) / "m.docx", "ja")
        assert word_text(Path(folder) / "m.docx")
    table = [line for line in to_markdown(minutes, transcript(), "ja").splitlines() if line.startswith("| 1 |")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in table)


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (61.9, "1:01"), (3600, "1:00:00"), (7325, "2:02:05")])
def test_times(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_days() -> None:
    assert day("2026-11-24", "ja") == "2026年11月24日(火)"
    assert day("2026-11-24", "en") == "24 Nov 2026 (Tue)"
    assert day("来週", "ja") == "来週" and day(None, "ja") == ""


def test_properties_cut_long_values_and_keep_foreign_ones() -> None:
    values = provenance({"ids": ["a" * 200, "b" * 200], "n": 3, "empty": [], "none": None})
    assert set(values) == {"kakehashi.ids.1", "kakehashi.ids.2", "kakehashi.n"}
    first = custom_xml({"label": "極秘", "kakehashi.n": "1"})
    merged = custom_xml(values, first).decode()
    assert "極秘" in merged and merged.count('name="kakehashi.n"') == 1
    assert re.findall(r'pid="(\d+)"', merged) == ["2", "3", "4", "5"]


def test_objections_and_the_next_meeting_are_in_the_document() -> None:
    made = sample().model_copy(
        update={
            "dissent": [Statement(text="費用が読めないので反対です。", evidence=["s0003"])],
            "next_meeting": NextMeeting(text="次回は来週の火曜です。", date="2026-12-01", evidence=["s0004"]),
        }
    )
    text = to_markdown(made, transcript(), "ja")
    assert text.index("## 決定事項") < text.index("## 反対・留保意見") < text.index("費用が読めないので反対です。")
    assert "2026年12月1日(火)：次回は来週の火曜です。" in text
    assert "反対・留保意見" not in to_markdown(sample(), transcript(), "ja")
