"""A meeting as the page shows it: the job's results with people's changes applied and checked again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from apps.common.editlog import Edit, EditLog
from apps.common.jobs import JobFolder
from apps.minutes.model import Minutes, Transcript
from apps.minutes.pipeline import recheck
from apps.minutes.ui.edits import View, apply, restore_confirmations

TRANSCRIPT_TYPES = (".vtt", ".srt", ".txt", ".json")


class Options(BaseModel):
    """``options.json`` of a meeting: what the user filled in."""

    model_config = ConfigDict(extra="forbid")
    title: str = ""
    date: str | None = None
    participants: list[str] = []
    glossary: list[str] = []
    language: str | None = "ja"  # None: recognised from the sound
    output_language: str = "ja"


@dataclass(frozen=True)
class Meeting:
    """One job of the minutes app."""

    folder: JobFolder

    @property
    def log(self) -> EditLog:
        return EditLog(self.folder.edits)

    @property
    def options(self) -> Options:
        return self.folder.options(Options)

    @property
    def recording(self) -> Path:
        return self.folder.root / self.folder.info().uploads[0].file

    @property
    def has_sound(self) -> bool:
        return self.recording.suffix.lower() not in TRANSCRIPT_TYPES

    @property
    def transcript_file(self) -> Path:
        return self.folder.out / "transcript.json"

    @property
    def minutes_file(self) -> Path:
        return self.folder.out / "minutes.json"

    def transcript(self) -> Transcript | None:
        file = self.transcript_file
        return Transcript.model_validate_json(file.read_bytes()) if file.exists() else None

    def minutes(self) -> Minutes | None:
        file = self.minutes_file
        return Minutes.model_validate_json(file.read_bytes()) if file.exists() else None

    def view(self) -> View | None:
        """Results plus changes, the checks run again by code (no model); None before there is a transcript."""
        transcript = self.transcript()
        if transcript is None:
            return None
        edits = self.log.effective()
        view = apply(transcript, self.minutes(), edits)
        if view.minutes is not None and edits:
            view.minutes = recheck(view.minutes, view.transcript)
            restore_confirmations(view)
        if view.minutes is not None:
            view.minutes.meta["confirmed"] = {k: {"by": c.by, "at": c.at} for k, c in view.confirmed.items()}
        return view

    def version(self) -> tuple[int, int, int]:
        """Changes whenever the view would: pages keep a view as long as this stays."""
        files = (self.transcript_file, self.minutes_file, self.folder.edits)
        a, b, c = (file.stat().st_mtime_ns if file.exists() else 0 for file in files)
        return a, b, c + (self.folder.edits.stat().st_size if self.folder.edits.exists() else 0)


def last_edit(meeting: Meeting) -> Edit | None:
    left = meeting.log.effective()
    return left[-1] if left else None
