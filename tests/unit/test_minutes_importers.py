"""Transcripts from elsewhere."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.minutes.export_srt import timestamp, to_srt
from apps.minutes.importers import read_transcript
from apps.minutes.model import Segment, Transcript
from kakehashi.errors import BadInput


def test_plain_text_lines_have_speakers_and_follow_each_other(tmp_path: Path) -> None:
    file = tmp_path / "meeting.txt"
    file.write_text("# 定例\n田中: 始めます。\n鈴木：承知しました。\n続きです。\n", encoding="utf-8")
    transcript = read_transcript(file)
    assert [(s.id, s.speaker, s.text) for s in transcript.segments] == [
        ("s0001", "田中", "始めます。"), ("s0002", "鈴木", "承知しました。"), ("s0003", "鈴木", "続きです。"),
    ]  # fmt: skip
    assert transcript.language == "ja" and transcript.speakers == {"S1": "田中", "S2": "鈴木"}
    assert all(a.end <= b.start for a, b in zip(transcript.segments, transcript.segments[1:], strict=False))


def test_times_of_subtitles_are_kept(tmp_path: Path) -> None:
    vtt = tmp_path / "a.vtt"
    vtt.write_text("WEBVTT\n\n00:01.000 --> 00:02.500\n<v Anna>Hello there.\n\n1:00:03.000 --> 1:00:04.000\nTom: Hi.\n")
    segments = read_transcript(vtt).segments
    assert [(s.start, s.end, s.speaker, s.text) for s in segments] == [
        (1.0, 2.5, "Anna", "Hello there."), (3603.0, 3604.0, "Tom", "Hi."),
    ]  # fmt: skip


@given(st.lists(st.tuples(st.floats(0, 20000), st.floats(0.1, 30)), min_size=1, max_size=6))
def test_our_own_subtitles_are_read_back(times: list[tuple[float, float]]) -> None:
    segments = [
        Segment(id=f"s{n}", start=start, end=start + length, speaker="田中", text=f"発言{n}です。")
        for n, (start, length) in enumerate(times)
    ]
    text = to_srt(Transcript(language="ja", segments=segments))
    assert text.count(" --> ") == len(times)
    assert timestamp(3661.5) == "01:01:01,500"


def test_a_file_of_ours_is_read_as_it_is(tmp_path: Path) -> None:
    kept = Transcript(language="ja", segments=[Segment(id="x", start=0, end=1, speaker="田中", text="はい")])
    file = tmp_path / "transcript.json"
    file.write_text(kept.model_dump_json())
    assert read_transcript(file) == kept


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.json", b"{", "transcript_json"), ("a.json", b'{"language": "ja"}', "transcript_schema"),
        ("a.txt", b"", "transcript_empty"), ("a.txt", b"\x00\x01\xff\xfe\x00", "transcript_not_text"),
        ("a.exe", b"MZ", "transcript_type"),
        ("a.json", json.dumps({"language": "ja", "segments": []}).encode(), "transcript_empty"),
    ],
)  # fmt: skip
def test_what_is_no_transcript_is_named(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_transcript(file)
    assert caught.value.code == code and name in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nothing\.txt"):
        read_transcript(tmp_path / "nothing.txt")
