"""The data of a meeting: transcript and minutes (``transcript.json``, ``minutes.json``). Times are seconds from 0."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from apps.common.provenance import Check, Origin


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Word(Model):
    start: float
    end: float
    text: str
    probability: float = 1.0


class Segment(Model):
    """One utterance of one speaker. ``id`` (``s0001`` …) is what evidence cites; it never changes once written."""

    id: str
    start: float
    end: float
    speaker: str = Field(description="name as shown; 話者1 / Speaker 1 until a person names it")
    text: str
    speaker_id: str | None = Field(None, description="stable id of the speaker (S1 …); the name is a mapping over it")
    confidence: float | None = None
    marks: list[str] = Field([], description="inaudible, overlap, suspect, edited, glossary …")
    original: str | None = Field(None, description="text as recognised, when a person or the glossary changed it")


class Transcript(Model):
    language: str
    segments: list[Segment]
    speakers: dict[str, str] = Field({}, description="speaker id → name")
    meta: dict[str, Any] = {}


class Meeting(Model):
    title: str
    date: str | None = Field(None, description="ISO date")
    participants: list[str] = []


class Item(Model):
    id: str = ""
    evidence: list[str] = Field([], description="segment ids")
    check: Check = Check()
    origin: Origin | None = None


class Statement(Item):
    """A decision, an open question or a point: one sentence with its evidence."""

    text: str


class ActionItem(Item):
    task: str
    owner: str | None = None
    due: str | None = Field(None, description="ISO date")
    due_text: str | None = Field(None, description="the words of the meeting")
    owner_speaker: str | None = Field(
        None, description="speaker id of an owner who spoke for himself: renaming reaches it"
    )


class Topic(Item):
    title: str
    start: float | None = None
    end: float | None = None
    points: list[Statement] = []


class NextMeeting(Statement):
    """When the next meeting is, in the words of the meeting; ``date`` resolved by code."""

    date: str | None = Field(None, description="ISO date")


class Minutes(Model):
    """``minutes.json``. ``stages`` tells none / failed / not run apart: done, none, failed or not_run per section."""

    meeting: Meeting
    topics: list[Topic] = []
    decisions: list[Statement] = []
    actions: list[ActionItem] = []
    open_questions: list[Statement] = []
    dissent: list[Statement] = Field([], description="objections and reservations in their own words")
    next_meeting: NextMeeting | None = None
    stages: dict[str, Literal["done", "none", "failed", "not_run"]] = {}
    meta: dict[str, Any] = {}
