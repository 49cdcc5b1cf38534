"""The rules' own minutes: everything that code finds and resolves, before any model is asked and if none can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from apps.common.provenance import Check, Origin
from apps.minutes.model import ActionItem, Item, Meeting, Minutes, NextMeeting, Statement, Topic, Transcript
from apps.minutes.text.actions import find_actions
from apps.minutes.text.decisions import find_decisions
from apps.minutes.text.dissent import find_dissent
from apps.minutes.text.found import Found
from apps.minutes.text.listen import listen
from apps.minutes.text.moves import Move, Talk
from apps.minutes.text.people import People
from apps.minutes.text.questions import find_next_meeting, find_open_questions
from apps.minutes.text.reasons import Reason, sentence
from apps.minutes.text.sentences import sentences
from apps.minutes.text.topics import Section, find_topics, point_text
from apps.minutes.text.verify import UNSURE, verify

RULE = Origin(source="rule")


@dataclass(frozen=True)
class Draft:
    """All candidates of a meeting, in the order they were said."""

    talk: Talk
    decisions: list[Found]
    actions: list[Found]
    open_questions: list[Found]
    dissent: list[Found]
    next_meeting: Found | None
    topics: list[Section]


def meeting_date(meeting: Meeting) -> date | None:
    return date.fromisoformat(meeting.date) if meeting.date else None


def draft(transcript: Transcript, meeting: Meeting) -> Draft:
    """Find everything by rule. Fast: about a thousand sentences a second."""
    people = People.of(meeting.participants).joined_by(transcript.speakers.values())
    talk = listen(sentences(transcript), people, meeting_date(meeting), transcript.language[:2].lower())
    actions = find_actions(talk)
    in_actions = {m.index for f in actions for m in f.moves}
    decisions = find_decisions(talk, in_actions)
    settled = in_actions | {m.index for f in decisions for m in f.moves}
    return Draft(
        talk,
        decisions,
        actions,
        find_open_questions(talk, settled),
        find_dissent(talk),
        find_next_meeting(talk),
        find_topics(talk),
    )


def compose(found: Draft, meeting: Meeting, language: str) -> Minutes:
    """The candidates as minutes, each verified against the lines it cites. ``language``: of the reasons."""
    maker = _Maker(found.talk, language)
    return Minutes(
        meeting=meeting,
        topics=[maker.topic(s, n) for n, s in enumerate(found.topics, 1)],
        decisions=[maker.statement(f, f"decisions-{n}") for n, f in enumerate(found.decisions, 1)],
        actions=[maker.action(f, f"actions-{n}") for n, f in enumerate(found.actions, 1)],
        open_questions=[maker.statement(f, f"open_questions-{n}") for n, f in enumerate(found.open_questions, 1)],
        dissent=[maker.dissent(f, f"dissent-{n}") for n, f in enumerate(found.dissent, 1)],
        next_meeting=maker.next_meeting(found.next_meeting),
    )


class _Maker:
    """Candidates → items of one meeting."""

    def __init__(self, talk: Talk, language: str) -> None:
        self.talk, self.language = talk, language

    def check(self, text: str, moves: Sequence[Move], reasons: Sequence[Reason] = ()) -> Check:
        """The verdict: what the rules doubt, what the verifier finds, and whether the speech was clear."""
        cited = [m.sentence.text for m in sorted(moves, key=lambda m: m.index)]
        all_reasons = [*reasons, *verify(text, cited, base=self.talk.base, people=self.talk.people)]
        if any(m.sentence.confidence is not None and m.sentence.confidence < UNSURE for m in moves):
            all_reasons.append(Reason("unclear_speech"))
        said = list(dict.fromkeys(sentence(r, self.language) for r in all_reasons))
        return Check(status="needs_review" if said else "supported", reasons=said)

    def statement(self, found: Found, item_id: str) -> Statement:
        check = self.check(found.text, [*found.moves, *found.context], found.reasons)
        return Statement(id=item_id, text=found.text, evidence=found.segments, check=check, origin=RULE)

    def dissent(self, found: Found, item_id: str) -> Statement:
        item = self.statement(found, item_id)
        colon = "：" if self.language == "ja" else ": "
        return item.model_copy(update={"text": f"{found.owner}{colon}{found.text}" if found.owner else found.text})

    def action(self, found: Found, item_id: str) -> ActionItem:
        speaker = self._speaker_words(found)
        check = self.check(found.text, [*found.moves, *found.context], [*found.reasons])
        reasons = [r for r in check.reasons if r not in {sentence(Reason("name", s), self.language) for s in speaker}]
        return ActionItem(
            id=item_id,
            task=found.text,
            owner=found.owner,
            owner_speaker=found.owner_speaker,
            due=found.due.day.isoformat() if found.due and found.due.day else None,
            due_text=found.due.text if found.due else None,
            evidence=found.segments,
            check=Check(status="needs_review" if reasons else "supported", reasons=reasons),
            origin=RULE,
        )

    def _speaker_words(self, found: Found) -> set[str]:
        """Names that stand for 私: they are in the evidence as speakers, not as words."""
        return {self.talk.name_of(m) for m in found.moves}

    def next_meeting(self, found: Found | None) -> NextMeeting | None:
        if found is None:
            return None
        item = self.statement(found, "next_meeting")
        day = next((d for d in found.core.dates if d.day and d.first == d.day), None)
        return NextMeeting(**item.model_dump(), date=day.day.isoformat() if day and day.day else None)

    def topic(self, section: Section, number: int) -> Topic:
        points = [
            Statement(
                id=f"topic-{number}-{n}",
                text=point_text(m),
                evidence=list(m.sentence.segments),
                check=self.check(point_text(m), [m]),
                origin=RULE,
            )
            for n, m in enumerate(section.points, 1)
        ]
        evidence = list(dict.fromkeys(s for m in section.moves for s in m.sentence.segments))
        return Topic(
            id=f"topic-{number}",
            title=section.title,
            start=section.moves[0].sentence.start,
            end=section.moves[-1].sentence.end,
            points=points,
            evidence=evidence,
            origin=RULE,
        )


def by_id(item_id: str, items: Sequence[Item]) -> Item | None:
    return next((i for i in items if i.id == item_id), None)
