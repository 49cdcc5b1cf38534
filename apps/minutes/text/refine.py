"""What the model adds to the rules' minutes: cleaner wording, titles nobody said, the gist of a topic.

Each question is small, closed and independent of the others, so that they go to the model together. No answer enters
the minutes unverified: it must rest on the cited lines with every content word, number, date and name, and must keep
what the rule's text says. Otherwise the rule's text stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apps.common.client import Answer, Question
from apps.common.japanese.normalise import fold, is_japanese
from apps.common.japanese.words import content_words
from apps.common.provenance import Check
from apps.minutes.model import Minutes, Segment, Statement, Topic, Transcript
from apps.minutes.text.draft import Draft
from apps.minutes.text.found import subject_nouns
from apps.minutes.text.verify import verify
from kakehashi import prompts

SECONDS_A_QUESTION = 2.5  # measured: 1.5B on two cores, eight together, 300 tokens in, 40 out
SHARE = 0.25  # of the meeting's length for the model
LEAST_S = 15.0
WINDOW_CHARS = 2400  # of a topic shown to the model; Japanese has about one token a character

_ROUGH = re.compile(
    r"けど|けれど|なんです|んで(?!す)|って|じゃ|ちゃ|（|件：|してる|てる|なので|ですが|ますが|ですので|とか|まあ|ね$|よ$|\b(?:gonna|kind of|sort of|you know)\b"
)
_POLITE = re.compile(r"(?:です|ます|ました|ません|ください|でしょう)[。]?$")
LONG_TEXT = 48
SUMMARISED = 6  # lines; shorter topics are told by their points


@dataclass(frozen=True)
class Task:
    """A question and what its answer is for: ``kind`` rewrite, title or summary; ``target`` the id of the item."""

    kind: str
    target: str
    question: Question


def tasks(minutes: Minutes, transcript: Transcript, drafted: Draft, language: str) -> list[Task]:
    """The questions that are worth their time, most useful first, within the time that the meeting's length allows."""
    segments = {s.id: s for s in transcript.segments}
    asked = [
        *_titles(minutes, segments, drafted, language),
        *_rewrites(minutes, segments, language),
        *_summaries(minutes, segments, language),
    ]
    length = transcript.segments[-1].end if transcript.segments else 0.0
    return asked[: int(max(LEAST_S, SHARE * length) / SECONDS_A_QUESTION)]


def _prompt(name: str, language: str) -> prompts.Prompt:
    return prompts.load(f"minutes.{name}" if language == "ja" else f"minutes.{name}.en")


def _lines(ids: Sequence[str], segments: dict[str, Segment]) -> str:
    said = [segments[i].text for i in ids if i in segments]
    text = "\n".join(said)
    return text if len(text) <= WINDOW_CHARS else text[:WINDOW_CHARS].rsplit("\n", 1)[0]


def _titles(minutes: Minutes, segments: dict[str, Segment], drafted: Draft, language: str) -> list[Task]:
    pairs = zip(minutes.topics, drafted.topics, strict=True)
    return [
        Task("title", t.id, Question(_prompt("title", language), {"lines": _lines(t.evidence, segments)}))
        for t, section in pairs
        if not section.titled
    ]


def _rewrites(minutes: Minutes, segments: dict[str, Segment], language: str) -> list[Task]:
    items = [(i.id, i.text, i.evidence) for i in (*minutes.decisions, *minutes.open_questions)]
    items += [(i.id, i.task, i.evidence) for i in minutes.actions]
    return [
        Task("rewrite", key, Question(_prompt("rewrite", language), {"lines": _lines(ids, segments), "draft": text}))
        for key, text, ids in items
        if _ROUGH.search(text) or len(text) > (LONG_TEXT if is_japanese(text) else 4 * LONG_TEXT)
    ]


def _summaries(minutes: Minutes, segments: dict[str, Segment], language: str) -> list[Task]:
    return [
        Task("summary", t.id, Question(_prompt("summary", language), {"title": t.title, "lines": lines}))
        for t in minutes.topics
        if len(t.evidence) >= SUMMARISED and (lines := _lines(t.evidence, segments))
    ]


def apply(minutes: Minutes, transcript: Transcript, drafted: Draft, answers: Sequence[tuple[Task, Answer]]) -> Minutes:
    """The minutes with every answer that the verifier lets pass."""
    refined = minutes.model_copy(deep=True)
    segments = {s.id: s for s in transcript.segments}
    for task, answer in answers:
        if not isinstance(answer.data, dict) or answer.finish_reason == "length":
            continue
        _APPLY[task.kind](refined, segments, drafted, task.target, answer)
    return refined


def _rewrite(minutes: Minutes, segments: dict[str, Segment], drafted: Draft, target: str, answer: Answer) -> None:
    for item in (*minutes.decisions, *minutes.open_questions, *minutes.actions):
        if item.id != target:
            continue
        field = "text" if isinstance(item, Statement) else "task"
        old, new = getattr(item, field), _clean(answer.data.get("text"))
        cited = [segments[i].text for i in item.evidence if i in segments]
        if faithful(new, cited, drafted) and _keeps(old, new):
            setattr(item, field, new)
            item.origin = answer.origin


def _title(minutes: Minutes, segments: dict[str, Segment], drafted: Draft, target: str, answer: Answer) -> None:
    topic = next((t for t in minutes.topics if t.id == target), None)
    title = _clean(answer.data.get("title"))
    if topic is None or _POLITE.search(title):
        return
    if faithful(title, [segments[i].text for i in topic.evidence if i in segments], drafted) and len(title) <= 40:
        topic.title, topic.origin = title, answer.origin


def _summary(minutes: Minutes, segments: dict[str, Segment], drafted: Draft, target: str, answer: Answer) -> None:
    topic: Topic | None = next((t for t in minutes.topics if t.id == target), None)
    text = _clean(answer.data.get("text"))
    if topic is None or _POLITE.search(text) or re.search(r"[。？?]|(?:です|ます)、", text) or _ROUGH.search(text):
        return
    ids = _resting_on(text, topic.evidence, segments)
    if not ids or not faithful(text, [segments[i].text for i in ids], drafted):
        return
    if any(fold(text) == fold(p.text) for p in topic.points):
        return
    topic.points = [p for p in topic.points if not (set(p.evidence) <= set(ids) and _covers(text, p.text))]
    topic.points.insert(0, Statement(id=f"{topic.id}-0", text=text, evidence=ids, check=Check(), origin=answer.origin))


def _resting_on(text: str, ids: Sequence[str], segments: dict[str, Segment]) -> list[str]:
    """The lines that a summary rests on, found by code: those that share two of its words, at most four."""
    own = content_words(text)
    shared = {i: len(own & content_words(segments[i].text)) for i in ids if i in segments}
    best = sorted((i for i in shared if shared[i] >= 2), key=lambda i: -shared[i])[:4]
    return [i for i in ids if i in best]


_APPLY = {"rewrite": _rewrite, "title": _title, "summary": _summary}


def _clean(value: object) -> str:
    """One line without brackets around it and full stop."""
    text = " ".join(str(value or "").split())
    return re.sub(r"^[「『\"“、,.:：;。\s]+|[」』\"”。.\s]+$", "", text).strip()


def faithful(text: str, cited: Sequence[str], drafted: Draft) -> bool:
    """Stricter than for rules: every content word must stand in the cited lines, not only most."""
    if len(text) < 2 or verify(text, cited, base=drafted.talk.base, people=drafted.talk.people):
        return False
    given, folded = content_words("\n".join(cited)), fold("".join(cited))
    return all(w in given or fold(w) in folded for w in content_words(text))


def _keeps(old: str, new: str) -> bool:
    """The new wording is better (less spoken, or shorter), loses no thing that the old names, does not end politely."""
    rough = len(_ROUGH.findall(new)) - len(_ROUGH.findall(old))
    if rough > 0 or (rough == 0 and len(new) >= 0.85 * len(old)):
        return False
    return (
        not _POLITE.search(new)
        and len(new) <= 1.2 * len(old) + 6
        and subject_nouns(old) <= subject_nouns(new) | content_words(new)
    )


def _covers(summary: str, point: str) -> bool:
    return subject_nouns(point) <= content_words(summary) | subject_nouns(summary)
