"""Transcripts from elsewhere: our own JSON, SubRip, WebVTT, plain text with ``name: words`` lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pydantic import ValidationError

from apps.common.japanese.normalise import is_japanese
from apps.minutes.model import Segment, Transcript
from kakehashi.errors import BadInput

CHARS_PER_S = {"ja": 7.0, "en": 15.0}  # for texts without times
_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?"
_CUE = re.compile(rf"{_TIME}\s*-->\s*{_TIME}")
_SPEAKER = re.compile(
    r"^(?:<v\s+(?P<vtt>[^>]+)>|(?P<name>[^\s:：「『][^:：。、]{0,30})[:：]\s*)(?P<text>.*)$", re.DOTALL
)
_STAMP = re.compile(rf"^[\[(]?{_TIME}[\])]?\s*[-–]?\s*")


SUFFIXES = (".srt", ".vtt", ".txt", ".md", ".json")


def read_transcript(path: Path) -> Transcript:
    """Read a transcript file by its extension. Raises BadInput naming the file, what is wrong and what is accepted."""
    if not path.is_file():
        raise BadInput(
            f"The transcript '{path.name}' does not exist.", hint="Check the path.", code="transcript_missing"
        )
    text = _decoded(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _from_json(text, path.name)
    if suffix not in SUFFIXES:
        raise BadInput(
            f"'{path.name}' is not a transcript.", hint="Accepted: .json .srt .vtt .txt", code="transcript_type"
        )
    segments = _cues(text) if suffix in (".srt", ".vtt") else _lines(text)
    if not segments:
        raise BadInput(
            f"'{path.name}' has no spoken lines.",
            hint="Write one line per utterance: name: words",
            code="transcript_empty",
        )
    return _finished(segments)


def _decoded(path: Path) -> str:
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "cp932", "utf-16"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise BadInput(f"'{path.name}' is not text.", hint="Save it as UTF-8.", code="transcript_not_text")


def _from_json(text: str, name: str) -> Transcript:
    try:
        transcript = Transcript.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise BadInput(
            f"'{name}' is not valid JSON (line {error.lineno}).", hint="Export it again.", code="transcript_json"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        raise BadInput(
            f"'{name}' is not a transcript of ours: {where}: {first['msg']}.",
            hint="See docs/schemas/transcript.json.",
            code="transcript_schema",
        ) from error
    if not any(s.text.strip() for s in transcript.segments):
        raise BadInput(
            f"'{name}' has no spoken lines.", hint="Transcribe the recording again.", code="transcript_empty"
        )
    return transcript


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    return (
        int(hours or 0) * 3600
        + int(minutes) * 60
        + int(seconds)
        + (int(fraction.ljust(3, "0")) / 1000 if fraction else 0)
    )


def _cues(text: str) -> list[Segment]:
    """SubRip and WebVTT blocks; the speaker from ``<v name>`` or ``name:``, else the one before."""
    segments: list[Segment] = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        times = _CUE.search(block)
        if not times:
            continue
        g = times.groups()
        body = re.sub(r"\s*\n\s*", " ", block[times.end() :].split("\n", 1)[-1].strip())
        speaker, said = _speaker(body, segments)
        if said:
            segments.append(_segment(len(segments), _seconds(*g[:4]), _seconds(*g[4:]), speaker, said))
    return segments


def _lines(text: str) -> list[Segment]:
    """``[00:12] name: words`` lines; without times they follow each other at speaking speed."""
    segments: list[Segment] = []
    clock = 0.0
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        stamp = _STAMP.match(line)
        if stamp:
            clock, line = _seconds(*stamp.groups()), line[stamp.end() :]
        speaker, said = _speaker(line, segments)
        if not said:
            continue
        length = len(said) / CHARS_PER_S["ja" if is_japanese(said) else "en"]
        segments.append(_segment(len(segments), clock, clock + length, speaker, said))
        clock += length + 0.4
    return segments


def _speaker(text: str, before: list[Segment]) -> tuple[str, str]:
    match = _SPEAKER.match(text)
    said = re.sub(r"<[^>]+>", "", match["text"] if match else text).strip()
    name = (match["vtt"] or match["name"]).strip() if match else before[-1].speaker if before else "話者1"
    return name, said


def _segment(number: int, start: float, end: float, speaker: str, text: str) -> Segment:
    return Segment(
        id=f"s{number + 1:04d}", start=round(start, 3), end=round(max(end, start), 3), speaker=speaker, text=text
    )


def _finished(segments: list[Segment]) -> Transcript:
    names = list(dict.fromkeys(s.speaker for s in segments))
    ids = {name: f"S{n}" for n, name in enumerate(names, 1)}
    for segment in segments:
        segment.speaker_id = ids[segment.speaker]
    japanese = sum(is_japanese(s.text) for s in segments) * 2 >= len(segments)
    return Transcript(
        language="ja" if japanese else "en",
        segments=segments,
        speakers={ids[n]: n for n in names},
        meta={"source": "import"},
    )
