"""Minutes for other programs: every format reads back what was written, whatever the words are."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from apps.minutes.cli import minutes as commands
from apps.minutes.exports import to_csv, to_ics, to_vtt
from apps.minutes.model import ActionItem, Meeting, Minutes, NextMeeting, Segment, Transcript
from kakehashi.errors import BadInput


def test_the_command_writes_beside_the_minutes(tmp_path: Path) -> None:
    (tmp_path / "minutes.json").write_text(minutes("案内状を作る").model_dump_json())
    (tmp_path / "transcript.json").write_text(transcript().model_dump_json())
    for form, name in (("vtt", "transcript.vtt"), ("csv", "todo.csv"), ("ics", "todo.ics")):
        done = CliRunner().invoke(commands, ["export", str(tmp_path), "--format", form])
        assert done.exit_code == 0 and done.output.strip() == str(tmp_path / name) and (tmp_path / name).stat().st_size
    missing = CliRunner().invoke(commands, ["export", str(tmp_path / "no"), "--format", "vtt"])
    assert isinstance(missing.exception, BadInput) and "minutes.json" in missing.exception.message


NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=120).filter(
    lambda t: bool(t.strip())
)


def transcript(text: str = "始めます。", speaker: str = "佐藤") -> Transcript:
    return Transcript(language="ja", segments=[Segment(id="s0001", start=1.5, end=4.25, speaker=speaker, text=text)])


def minutes(task: str, **more: object) -> Minutes:
    item = ActionItem(task=task, owner="田中", due="2026-11-30", evidence=["s0001"])
    return Minutes(meeting=Meeting(title="定例会議", date="2026-11-24"), actions=[item], **more)  # type: ignore[arg-type]


def unfolded(ics: str) -> list[str]:
    assert ics.endswith("\r\n") and all(len(line.encode()) <= 75 for line in ics.split("\r\n"))
    return ics.replace("\r\n ", "").removesuffix("\r\n").split("\r\n")


@given(words)
def test_a_task_comes_back_from_csv(task: str) -> None:
    data = to_csv(minutes(task), transcript(), "ja")
    assert data.startswith(b"\xef\xbb\xbf")
    head, row = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert head[:4] == ["No.", "実施事項", "担当", "期限"] and row[2:4] == ["田中", "2026-11-30"]
    assert row[1] in (task, f"'{task}") and not row[1].startswith(("=", "+", "-", "@"))


@given(words)
def test_a_task_comes_back_from_icalendar(task: str) -> None:
    lines = unfolded(to_ics(minutes(task), "ja", now=NOW))
    [summary] = [line.removeprefix("SUMMARY:") for line in lines if line.startswith("SUMMARY:")]
    told = re.sub(r"\\([\\;,n])", lambda m: "\n" if m[1] == "n" else m[1], summary)
    assert told == "\n".join(f"{task}（田中）".splitlines())
    assert "DUE;VALUE=DATE:20261130" in lines and "DTSTAMP:20261124T090000Z" in lines
    assert lines[0] == "BEGIN:VCALENDAR" and lines[-1] == "END:VCALENDAR"


def test_the_next_meeting_is_an_event_and_a_second_export_changes_nothing() -> None:
    known = minutes("案内状を作る", next_meeting=NextMeeting(text="次回は来週の火曜、10時から。", date="2026-12-01"))
    lines = unfolded(to_ics(known, "ja", now=NOW))
    assert "DTSTART;VALUE=DATE:20261201" in lines and "SUMMARY:次回：定例会議" in lines
    assert to_ics(known, "ja", now=NOW) == to_ics(known.model_copy(deep=True), "ja", now=NOW)
    open_day = minutes("案内状を作る", next_meeting=NextMeeting(text="次回は未定。"))
    assert "BEGIN:VEVENT" not in unfolded(to_ics(open_day, "ja", now=NOW))


def test_a_transcript_in_webvtt_has_no_markup_of_its_own() -> None:
    told = to_vtt(transcript("a < b & c --> d\n二行目", "R&D <部>"))
    assert told.startswith("WEBVTT\n\ns0001\n00:00:01.500 --> 00:00:04.250\n")
    assert "<v R&amp;D &lt;部&gt;>a &lt; b &amp; c --&gt; d 二行目</v>" in told
    assert to_vtt(transcript("  ")) == "WEBVTT\n"
