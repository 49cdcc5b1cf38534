"""A meeting in a few lines: ``"田中: …／鈴木: …"`` → transcript and draft."""

from __future__ import annotations

from apps.minutes.model import Meeting, Segment, Transcript
from apps.minutes.text.draft import Draft, draft

MONDAY = "2026-11-23"
PEOPLE = ("田中", "鈴木", "佐藤", "佐久間", "Tom", "Anna")


def transcript(lines: str, language: str = "ja") -> Transcript:
    """One segment per part between ／; the names before the colons speak."""
    segments = []
    ids: dict[str, str] = {}
    for number, part in enumerate(lines.split("／"), 1):
        speaker, text = part.split(":", 1)
        speaker_id = ids.setdefault(speaker.strip(), f"S{len(ids) + 1}")
        segments.append(
            Segment(
                id=f"s{number:04d}", start=number * 5.0, end=number * 5.0 + 4, speaker=speaker.strip(),
                text=text.strip(), speaker_id=speaker_id,
            )
        )  # fmt: skip
    return Transcript(language=language, segments=segments, speakers={i: name for name, i in ids.items()})


def drafted(lines: str, *, date: str | None = MONDAY, people: tuple[str, ...] = PEOPLE, language: str = "ja") -> Draft:
    meeting = Meeting(title="会議", date=date, participants=list(people))
    return draft(transcript(lines, language), meeting)
