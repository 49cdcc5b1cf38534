"""From sentences to a conversation: acts, names and days of every sentence, and who the speakers are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from apps.common.japanese.dates import find_dates
from apps.common.japanese.normalise import is_japanese
from apps.minutes.text.cues import cues
from apps.minutes.text.moves import Move, Talk, acts
from apps.minutes.text.names import identify
from apps.minutes.text.people import People, departments
from apps.minutes.text.sentences import Sentence
from apps.minutes.text.tags import Tags, clear, line, tag


def listen(said: Sequence[Sentence], people: People, base: date | None, language: str) -> Talk:
    """Analyse all sentences once. ``language``: of the meeting; a sentence in the other script gets its own cues."""
    moves = []
    for sentence in said:
        patterns = cues(
            "ja" if is_japanese(sentence.clean) else "en" if language != "ja" or sentence.clean.isascii() else "ja"
        )
        moves.append(
            Move(
                sentence,
                acts(sentence.clean, patterns),
                tuple(people.mentions(sentence.clean) + departments(sentence.clean)),
                tuple(find_dates(sentence.clean, base)),
            )
        )
    framed = _framed(moves)
    return Talk(tuple(_tagged(framed, people)), people, base, language, identify(moves, people))


def _tagged(moves: Sequence[Move], people: People) -> list[Move]:
    """With the tagger's opinion, and the acts that the rules had missed."""
    names = [*(c for p in people.persons for c in (p.name, *p.calls)), *(m.sentence.speaker for m in moves)]
    opinions = tag([line(m.sentence.text, m.speaker, m.acts) for m in moves], names)
    return [replace(m, tags=tags, acts=m.acts | _heard(tags)) for m, tags in zip(moves, opinions, strict=True)]


def _heard(tags: Tags) -> set[str]:
    return {act for name, act in _ACT_OF.items() if clear(tags, name)}


_ACT_OF = {
    "decide": "decide", "request": "request", "commit": "commit", "propose": "propose", "agree": "accept",
    "open": "defer", "dissent": "dissent",
}  # fmt: skip


FRAME = 3  # sentences at each end in which a meeting is opened or closed, whatever it is called
_OPENS = re.compile(
    r"(?:始め|開き|開会し|開始し|スタートし|(?:会|礼|次|定例|ミーティング|MTG)(?:を|、)?やり)(?:ます|ましょう|たい|よう|よっか|ようか)|始めよ"
    r"|\b(?:call (?:the |this |our )?\w+ to order|get (?:started|going)|shall we (?:begin|start)|begin|kick off)\b",
    re.IGNORECASE,
)
_CLOSES = re.compile(
    r"(?:終わ|締め|解散|お開き|ここまで|以上|閉)|\b(?:adjourn|that's (?:everything|it|all)|wrap up)\b", re.IGNORECASE
)
_NOT_FRAME = frozenset(
    ("decide", "decide_weak", "commit", "strong_commit", "propose", "offer", "confirm", "request", "approve")
)


def _framed(moves: Sequence[Move]) -> list[Move]:
    """週次を始めましょう, 朝会やりますか: the first and the last sentences run the meeting, they settle nothing."""
    framed = list(moves)
    ends = len(moves) - FRAME
    for index, move in enumerate(moves):
        opens = index < FRAME and _OPENS.search(move.text) and not move.dates
        closes = index >= max(ends, FRAME) and _CLOSES.search(move.text) and len(move.text) < 24
        parting = index >= max(len(moves) - 2, 4 * FRAME) and move.does("request") and not move.named and not move.dates
        if opens or closes or parting:
            framed[index] = replace(move, acts=(move.acts - _NOT_FRAME) | {"opening"})
    return framed
