"""Which participant a voice is: by introducing himself, or by answering when called. Careful: else he stays 話者N.

A name counts only if it is a participant's or comes with the words of an introduction, if nobody else has as good a
claim to it, and if the voice never calls that very person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from apps.common.japanese.words import words
from apps.minutes.model import Transcript
from apps.minutes.text.moves import Identity, Move
from apps.minutes.text.people import ANONYMOUS, People

_NAME = r"(?P<name>[一-鿿々ヶ]{1,4}|[ァ-ヴー]{2,8}|[ぁ-ゖ]{2,5})"
_INTRODUCTION = re.compile(
    rf"(?:^|[、。\s]|(?P<of>(?:部|課|室|店|係|グループ|チーム|センター|事務局|役所|委員会|銀行|会社|社|担当|司会|進行|議長|師長|主任|[一-鿿ァ-ヴー]{{2,8}})の、?)|(?P<role>(?:司会|進行|議長|書記|担当)は、?(?:私、?)?))"
    rf"{_NAME}(?:です|と申します|でございます|と言います|が(?:務め|つとめ|進め|担当し|司会|進行|議長)[^。]{{0,8}}(?:ます|させ))(?:[。、よ]|$)"
    r"|(?:^|[.,]\s?)(?:[Tt]his is|I'm|I am|[Mm]y name is)\s(?P<latin>[A-Z][a-z]+)"
)
_CALL = re.compile(
    r"^(?:さん|様|くん|君|ちゃん|部長|課長|委員|取締役|先生)?(?:[、。?？]|$|は(?:いかが|どう)|から(?:お願い|見て)|(?:いかが|どう)|お願い)"
)
_ABOUT = re.compile(r"(?:さん|様|くん|君)?(?:と(?!して)|から(?!お願い|見て)|の(?!ほう|方|件)|へ|に|を|が)")
_WEIGHT = {"introduced": 4, "called": 2, "addressed": 1, "calls": -4}
SURE = 4  # an introduction, or two answers when called
LIKELY = 2


@dataclass(frozen=True)
class Vote:
    """What speaks for a voice being somebody (negative weight: against it), and where it was said."""

    speaker: str
    name: str
    why: str
    segments: tuple[str, ...]


def identify(moves: Sequence[Move], people: People) -> dict[str, Identity]:
    """Speaker id → identity: the label if it is a name, else the name with the better half of the votes."""
    labels = {m.speaker: m.sentence.speaker for m in moves}
    votes = _votes(moves, people)
    result: dict[str, Identity] = {}
    for speaker, label in labels.items():
        resolved = people.resolve(label)
        if not ANONYMOUS.match(label):
            result[speaker] = Identity(resolved[0] if resolved else label, True, False)
        else:
            result[speaker] = _elected(speaker, label, votes)
    return result


def name_speakers(transcript: Transcript, found: dict[str, Identity]) -> Transcript:
    """The transcript with the names that are certain; those that are only likely are suggested in ``meta``.

    ``meta["speaker_names"]``: for each voice ``speaker_id``, ``label``, ``name``, ``certain`` and the ``evidence``.
    """
    named = {s: i for s, i in found.items() if i.anonymous and i.evidence}
    if not named:
        return transcript
    copy = transcript.model_copy(deep=True)
    labels = {s.speaker_id: s.speaker for s in transcript.segments if s.speaker_id}
    copy.meta["speaker_names"] = [
        {"speaker_id": s, "label": labels.get(s, s), "name": i.name, "certain": i.known, "evidence": list(i.evidence)}
        for s, i in named.items()
    ]
    certain = {s: i.name for s, i in named.items() if i.known}
    copy.speakers = {s: certain.get(s, name) for s, name in copy.speakers.items()}
    for segment in copy.segments:
        segment.speaker = certain.get(segment.speaker_id or "", segment.speaker)
    return copy


def _elected(speaker: str, label: str, votes: Sequence[Vote]) -> Identity:
    names = dict.fromkeys(v.name for v in votes if v.speaker == speaker)
    ranked = sorted(((_score(votes, speaker, n), n) for n in names), reverse=True)
    if not ranked or ranked[0][0] < LIKELY or (len(ranked) > 1 and ranked[0][0] < 2 * ranked[1][0]):
        return Identity(label, False, True)
    score, name = ranked[0]
    rivals = {v.speaker for v in votes if v.name == name and v.speaker != speaker}
    if any(2 * _score(votes, rival, name) > score for rival in rivals):
        return Identity(label, False, True)
    mine = [s for v in votes if (v.speaker, v.name) == (speaker, name) and _WEIGHT[v.why] > 0 for s in v.segments]
    return Identity(name, score >= SURE, True, tuple(dict.fromkeys(mine)))


def _score(votes: Iterable[Vote], speaker: str, name: str) -> int:
    return sum(_WEIGHT[v.why] for v in votes if (v.speaker, v.name) == (speaker, name))


def _votes(moves: Sequence[Move], people: People) -> list[Vote]:
    return [vote for index, move in enumerate(moves) for vote in (*_introduced(move, people), *_called(index, moves))]


def _introduced(move: Move, people: People) -> list[Vote]:
    match = _INTRODUCTION.search(move.text)
    if match is None or move.does("question"):
        return []
    said = match["name"] or match["latin"]
    resolved = people.resolve(said)
    if resolved is None:
        unlisted = not people.persons and (match["of"] or match["latin"]) and _is_name(said)
        return [Vote(move.speaker, said, "introduced", move.sentence.segments)] if unlisted else []
    return [Vote(move.speaker, resolved[0], "introduced", move.sentence.segments)]


def _is_name(said: str) -> bool:
    return said.isascii() or all("人名" in w.pos for w in words(said))


def _called(index: int, moves: Sequence[Move]) -> list[Vote]:
    """Who is called in a sentence: not the one who calls, but the one who answers, if exactly one is called."""
    move = moves[index]
    vocative = [n for n in move.named if n.known and n.sure and _CALL.match(move.text[n.end :])]
    votes = [Vote(move.speaker, n.name, "calls", move.sentence.segments) for n in vocative]
    following = next((m for m in islice(moves, index + 1, None) if m.sentence.turn > move.sentence.turn), None)
    called = [n for n in move.named if n.known and n.sure]
    if following is None or following.sentence.turn != move.sentence.turn + 1 or len({n.name for n in called}) != 1:
        return votes
    asks = move.does("procedural", "request") or (move.does("question") and bool(vocative))
    if asks and not _ABOUT.match(move.text[called[0].end :]) and not _calls_on(move, index, moves):
        why = (
            "called" if vocative and (move.does("procedural", "question") or following.does("accept")) else "addressed"
        )
        segments = (*move.sentence.segments, *following.sentence.segments)
        votes.append(Vote(following.speaker, called[0].name, why, segments))
    return votes


def _calls_on(move: Move, index: int, moves: Sequence[Move]) -> bool:
    """Whether somebody else is called later in the same turn: the answer is to that."""
    mine: set[str] = {n.name for n in move.named}
    rest = (m for m in islice(moves, index + 1, None) if m.sentence.turn == move.sentence.turn)
    return any(n.known and n.name not in mine for m in rest for n in m.named)
