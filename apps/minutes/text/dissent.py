"""Objections and reservations, each in its own words: dissent is never summarised away.

What 本件 or この点 means is named beside the words; a second sentence of the same person on the same matter is evidence
of the first, not another dissent.
"""

from __future__ import annotations

import re

from apps.common.japanese.normalise import half_width, is_japanese
from apps.minutes.text import plain
from apps.minutes.text.found import Found, overlap, subject_nouns, subject_words
from apps.minutes.text.matters import matter, motion, proposes, topic_phrase
from apps.minutes.text.moves import Move, Talk

_STANCE = re.compile(r"反対|賛成|賛同|留保|同意|異議|異論|納得|承服|意見|記録|議事録|立場|決定|結論")
_STANCE_EN = frozenset(
    "against opposed object oppose disagree agree support noted minuted record reservations comfortable happy favour favor vote".split()
)
_REFERS = re.compile(
    r"^(?:本件|本案|それ|これ|この(?:件|点|案)|その(?:件|点|案)|同案|今の)|(?:、|は|が)(?:本件|この点|その点)"
)
SAME_MATTER = 12  # turns within which one person's second sentence is about the same


def find_dissent(talk: Talk) -> list[Found]:
    """Every objection or reservation with what it is about, in order."""
    items: list[Found] = []
    for move in talk.moves:
        if not _dissents(move):
            continue
        found = _found(move, talk)
        earlier = next((i for i in reversed(items) if _same(i, found)), None)
        if earlier is None:
            items.append(found)
        elif subject_nouns(_own(earlier.text)) or not subject_nouns(_own(found.text)):
            earlier.cite(*found.moves)
        else:
            found.cite(*earlier.moves)
            items[items.index(earlier)] = found
    return items


def _dissents(move: Move) -> bool:
    return move.clearly("dissent") or (move.possibly("dissent") and _objects_by_rule(move))


def _objects_by_rule(move: Move) -> bool:
    if not move.does("dissent") or move.does("not_dissent", "reported"):
        return False
    return not move.does("question") or move.does("strong_commit")


def _found(move: Move, talk: Talk) -> Found:
    japanese = is_japanese(move.text)
    text = (
        plain.strip_lead(move.text).rstrip("。")
        if japanese
        else re.sub(r"^for the record,?\s*", "", move.text, flags=re.I)
    )
    found = Found("dissent", text, move, [move], quote=move.text)
    found.owner, found.owner_speaker = talk.speakers[move.speaker].name, move.speaker
    if subject_words(_own(text)) - _STANCE_EN and not _REFERS.search(half_width(text)):
        return found
    about = _about(move, talk)
    if about is not None:
        found.text = f"{text}（{about[0]}）" if japanese else f"{text} ({about[0]})"
        found.refer(*about[1])
    return found


def _own(text: str) -> str:
    return _STANCE.sub("", text)


def _about(move: Move, talk: Talk) -> tuple[str, list[Move]] | None:
    """What is objected to: the reason said just before, the motion, or the latest proposal."""
    same_turn = [m for m in talk.before(move, 0) if subject_nouns(m.text) and not m.does("accept", "unknown")]
    if same_turn and is_japanese(move.text):
        return plain.statement_text(same_turn[0].text.rstrip("。")), same_turn[:1]
    for earlier in talk.before(move, 8)[:18]:
        if title := motion(earlier):
            return title, [earlier]
        if (
            earlier.speaker != move.speaker
            and (proposes(earlier) or earlier.does("decide"))
            and subject_words(earlier.text)
        ):
            return matter(earlier, talk)
        if phrase := topic_phrase(earlier.text, announced=True):
            return phrase, [earlier]
    return None


def _same(earlier: Found, found: Found) -> bool:
    if earlier.owner_speaker != found.owner_speaker:
        return False
    near = found.core.sentence.turn - earlier.moves[-1].sentence.turn <= SAME_MATTER
    thin = not subject_nouns(_own(found.quote)) or not subject_nouns(_own(earlier.quote))
    return near and (thin or overlap(_own(earlier.quote), _own(found.quote)) >= 0.5)
