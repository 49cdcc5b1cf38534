"""What each sentence does in the conversation: its acts by the cue patterns, who and which days it names."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import islice, takewhile

from apps.common.japanese.dates import DateMention
from apps.common.japanese.normalise import half_width
from apps.minutes.text.cues import CUES, Cues
from apps.minutes.text.people import Named, People
from apps.minutes.text.sentences import Sentence
from apps.minutes.text.tags import Tags, clear, possible

_LEAD = re.compile(
    r"^(?:では|それでは|それじゃあ?|じゃあ?|で、|はい、|うん、|えー|よし|さて|なお|また|あと|それから|そして|そうしたら|ということで|わかりました。?|そうですね|、|\s)+"
)


# A doubt that gives way: it is recorded, and what was decided stands.
_YIELDS = re.compile(r"従い?ます|従う|お?任せし|構いません|やむを得|仕方(?:が)?ない|\b(?:go ahead|go along|won't block|fine by me)\b", re.I)
_OVERRULES = (("not_dissent", "dissent"), ("defer", "opening"), ("dissent", "opening"))


@dataclass(frozen=True)
class Move:
    """A sentence with its acts (names of cues that match), the persons and departments, and the days it names.

    ``tags``: the trained tagger's probability of each act.
    """

    sentence: Sentence
    acts: frozenset[str]
    named: tuple[Named, ...]
    dates: tuple[DateMention, ...]
    tags: Tags = field(default_factory=dict, compare=False)

    @property
    def text(self) -> str:
        return self.sentence.clean

    @property
    def speaker(self) -> str:
        return self.sentence.speaker_id

    @property
    def index(self) -> int:
        return self.sentence.index

    def does(self, *acts: str) -> bool:
        """Whether any of the acts is among those of the sentence."""
        return not self.acts.isdisjoint(acts)

    def clearly(self, act: str) -> bool:
        """Whether the tagger takes it for a decision, request …, whatever the cues say."""
        return clear(self.tags, act)

    def possibly(self, act: str) -> bool:
        """Whether the tagger does not rule it out."""
        return possible(self.tags, act)


def acts(text: str, patterns: Cues) -> frozenset[str]:
    """Names of the cues that a sentence (without fillers) matches."""
    flat = half_width(text)
    body = _LEAD.sub("", flat)
    found = {name for name in CUES if getattr(patterns, name).search(body if name == "decide_weak" else flat)}
    for stronger, weaker in _OVERRULES:
        if stronger in found:
            found.discard(weaker)
    return frozenset(found)


@dataclass(frozen=True)
class Identity:
    """Who a speaker label is. ``known``: named in the transcript or introduced by name; else only inferred."""

    name: str
    known: bool
    anonymous: bool
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Talk:
    """The whole conversation as moves, with what holds for all of it."""

    moves: tuple[Move, ...]
    people: People
    base: date | None
    language: str
    speakers: dict[str, Identity]

    @cached_property
    def chair(self) -> str | None:
        """The speaker who opens, moves on and closes most; None when nobody stands out."""
        score: Counter[str] = Counter()
        for move in self.moves:
            score[move.speaker] += move.does("chair") + move.does("opening") + 2 * move.does("agenda_overview")
            score[move.speaker] += move.does("procedural") + (move.does("request") and bool(move.named))
        for end in (*self.moves[:1], *self.moves[-1:]):
            score[end.speaker] += 2
        ranked = score.most_common(2)
        if not ranked or ranked[0][1] < 2:
            return None
        return ranked[0][0] if len(ranked) == 1 or ranked[0][1] > ranked[1][1] else None

    def name_of(self, move: Move) -> str:
        """The speaker's name as far as it is known, else the label."""
        return self.speakers[move.speaker].name if move.speaker in self.speakers else move.sentence.speaker

    def after(self, move: Move, turns: int) -> list[Move]:
        """The moves behind one, up to ``turns`` turns further; the rest of its own turn included."""
        last = move.sentence.turn + turns
        return list(takewhile(lambda m: m.sentence.turn <= last, islice(self.moves, move.index + 1, None)))

    def before(self, move: Move, turns: int) -> list[Move]:
        """The moves before one, nearest first, back to ``turns`` turns earlier."""
        first = move.sentence.turn - turns
        earlier = (self.moves[i] for i in range(move.index - 1, -1, -1))
        return list(takewhile(lambda m: m.sentence.turn >= first, earlier))

    def agreement(self, move: Move) -> list[Move]:
        """The first reply of another speaker directly behind, if it agrees."""
        replies = [m for m in self.after(move, 1) if m.speaker != move.speaker][:1]
        return [m for m in replies if m.does("accept") and not m.does("decline", "dissent")]

    def objection(self, move: Move) -> bool:
        """Whether one of the next two sentences of others objects."""
        replies = [m for m in self.after(move, 2) if m.speaker != move.speaker][:2]
        return any(m.does("decline", "dissent") and not m.does("accept") and not _YIELDS.search(m.text) for m in replies)
