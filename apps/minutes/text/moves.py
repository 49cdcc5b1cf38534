"""What each sentence does in the conversation: its acts by the cue patterns, who and which days it names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import islice, takewhile

from apps.common.japanese.dates import DateMention, find_dates
from apps.common.japanese.normalise import half_width, is_japanese
from apps.minutes.text.cues import CUES, Cues, cues
from apps.minutes.text.people import ANONYMOUS, Named, People, departments
from apps.minutes.text.sentences import Sentence

_LEAD = re.compile(
    r"^(?:では|それでは|それじゃあ?|じゃあ?|で、|はい、|うん、|えー|よし|さて|なお|また|あと|それから|そして|そうしたら|ということで|わかりました。?|そうですね|、|\s)+"
)


_OVERRULES = (("not_dissent", "dissent"), ("defer", "opening"), ("dissent", "opening"))


@dataclass(frozen=True)
class Move:
    """A sentence with its acts (names of cues that match), the persons and departments, and the days it names."""

    sentence: Sentence
    acts: frozenset[str]
    named: tuple[Named, ...]
    dates: tuple[DateMention, ...]

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
class Talk:
    """The whole conversation as moves, with what holds for all of it."""

    moves: tuple[Move, ...]
    people: People
    base: date | None
    language: str

    @cached_property
    def chair(self) -> str | None:
        """The speaker who opens, moves on and closes most; None when nobody stands out."""
        score: Counter[str] = Counter()
        for move in self.moves:
            score[move.speaker] += move.does("chair") + move.does("opening") + 2 * move.does("agenda_overview")
        ranked = score.most_common(2)
        if not ranked or ranked[0][1] < 2:
            return None
        return ranked[0][0] if len(ranked) == 1 or ranked[0][1] > ranked[1][1] else None

    @cached_property
    def speakers(self) -> dict[str, Identity]:
        """Speaker id → who that is."""
        return identify(self.moves, self.people)

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
        return any(m.does("decline", "dissent") and not m.does("accept") for m in replies)


@dataclass(frozen=True)
class Identity:
    """Who a speaker label is. ``known``: named in the transcript or introduced by name; else only inferred."""

    name: str
    known: bool
    anonymous: bool


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
    return Talk(tuple(_framed(moves)), people, base, language)


FRAME = 3  # sentences at each end in which a meeting is opened or closed, whatever it is called
_OPENS = re.compile(
    r"(?:始め|開き|開会し|開始し|スタートし|やり)(?:ます|ましょう|たい|よう|よっか|ようか)|始めよ"
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
        if opens or closes:
            framed[index] = replace(move, acts=(move.acts - _NOT_FRAME) | {"opening"})
    return framed


_INTRODUCTION = re.compile(
    r"(?:^|[、。\s]|の、?|は、?)(?P<name>[一-鿿々ヶ]{1,4}|[ァ-ヴー]{2,8}|[ぁ-ゖ]{2,5})"
    r"(?:です|と申します|でございます|と言います)(?:[。、よ]|$)"
    r"|(?:^|[.,]\s?)(?:[Tt]his is|I'm|I am|[Mm]y name is)\s(?P<latin>[A-Z][a-z]+)"
)
_WEIGHT = {"introduced": 4, "handed": 2, "addressed": 1}


def identify(moves: Sequence[Move], people: People) -> dict[str, Identity]:
    """Names for speaker labels: the label itself, a self-introduction, or being called just before speaking."""
    labels = {m.speaker: m.sentence.speaker for m in moves}
    votes = _votes(moves, people)
    result: dict[str, Identity] = {}
    for speaker, label in labels.items():
        if not ANONYMOUS.match(label):
            resolved = people.resolve(label)
            result[speaker] = Identity(resolved[0] if resolved else label, True, False)
            continue
        ranked = votes[speaker].most_common(2) if speaker in votes else []
        clear = ranked and ranked[0][1] >= 2 and (len(ranked) == 1 or ranked[0][1] >= 2 * ranked[1][1])
        if clear and _owns(ranked[0][0], speaker, votes):
            result[speaker] = Identity(ranked[0][0], ranked[0][1] >= _WEIGHT["introduced"], True)
        else:
            result[speaker] = Identity(label, False, True)
    return result


def _owns(name: str, speaker: str, votes: dict[str, Counter[str]]) -> bool:
    """Nobody else has more votes for the name."""
    return all(v[name] <= votes[speaker][name] for s, v in votes.items() if s != speaker)


def _votes(moves: Sequence[Move], people: People) -> dict[str, Counter[str]]:
    votes: dict[str, Counter[str]] = {}
    for index, move in enumerate(moves):
        introduced = _INTRODUCTION.search(move.text)
        resolved = people.resolve(introduced["name"] or introduced["latin"]) if introduced else None
        if resolved and not move.does("question"):
            votes.setdefault(move.speaker, Counter())[resolved[0]] += _WEIGHT["introduced"]
        following = next((m for m in islice(moves, index + 1, None) if m.sentence.turn > move.sentence.turn), None)
        called = [n for n in move.named if n.known and n.sure]
        if following is None or following.sentence.turn != move.sentence.turn + 1 or len({n.name for n in called}) != 1:
            continue
        if move.does("procedural", "request") and not _talked_about(move.text, called[0]):
            weight = "handed" if move.does("procedural") or following.does("accept") else "addressed"
            votes.setdefault(following.speaker, Counter())[called[0].name] += _WEIGHT[weight]
    return votes


def _talked_about(text: str, named: Named) -> bool:
    """田中さんに聞いてください talks about 田中; 田中さん、お願いします calls him."""
    return (
        re.match(r"(?:さん|様|くん|君)?(?:と(?!して)|から(?!お願い)|の(?!ほう|方|件)|へ)", text[named.end :])
        is not None
    )
