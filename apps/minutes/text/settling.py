"""Decisions without words of deciding: a proposal, the reactions, and the chair who says how it will be.

なら木下さんを入れて四人体制だ。 校名は出す。 六日分で査定。 Such a sentence decides only behind a proposal that it takes up;
without an agreeing reply it is marked for review.
"""

from __future__ import annotations

import re

from apps.common.japanese.normalise import half_width, is_japanese
from apps.common.japanese.numbers import find_quantities
from apps.common.japanese.words import words
from apps.minutes.text.found import labels, subject_words
from apps.minutes.text.matters import proposes
from apps.minutes.text.moves import Move, Talk

BACK = 10  # turns in which the proposal must have been made
SHORT = 45  # characters: a sentence this short takes a proposal up with one word of it
LONGEST = 60  # characters: longer sentences explain
_LEAD = re.compile(
    r"^(?:はい|うん|ええ|まあ|よし|おし|そう(?:だ|です)(?:な|ね)|なるほど|確かに|たしかに|わかった|わかりました|分かりました|、|。|\s)*"
    r"(?:では|それでは|じゃあ?|なら(?:ば)?|それなら|でしたら|だったら|ほな|んだら|んじゃ|よし|決まり|採用|そうしよう|そうしましょう|結論|ということで|わかりました|わかった|分かりました)"
)
_LEAD_EN = re.compile(
    r"^(?:ok(?:ay)?|right|alright|all right|fine|then|so|good|great|agreed|settled|yes|let's)\b", re.IGNORECASE
)
_NO_DECISION = (
    "question", "opening", "procedural", "hypothetical", "reported", "negated", "defer", "next_meeting", "request", "confirm", "propose",
    "offer", "dissent", "not_a_task", "unknown", "pending", "agenda_overview", "withdraw",
)  # fmt: skip
_HEDGED = re.compile(
    r"と思|かな|かも|らしい|そうだ|はず|ですね?よ?$|ですけど|ますけど|けど|から[。]?$|んで(?:すよ?|す)?[。]?$|のよ|なあ[。]?$|たい|でしょう|だろう|ています|ている|てます|てる[。]?$|ました|でした|だった|った[。]?$"
)
_VERDICT = re.compile(
    r"(?:採用|見送り|却下|否決|可決|承認|認める|認めます|決まり|打ち切り?|打ち切ります|なし|禁止|確定|即決|可|延期|中止|でいく|でいきます|にする|にします|とする|とします)[。]?$"
)


def settles(move: Move, talk: Talk) -> list[Move]:
    """The proposals that a sentence of the chair takes up; empty when it does not settle anything."""
    if move.speaker != talk.chair or move.does(*_NO_DECISION) or not 3 <= len(move.text) <= LONGEST:
        return []
    if not _declares(move):
        return []
    text = half_width(move.text)
    lead = bool((_LEAD if is_japanese(text) else _LEAD_EN).match(text)) or _lead_before(move, talk)
    found = [m for m in talk.before(move, BACK)[:25] if m.speaker != move.speaker and _puts_forward(m)]
    taken = [m for m in found if _takes_up(move, m, lead or bool(_VERDICT.search(text)))]
    return taken[:2]


def _puts_forward(move: Move) -> bool:
    return proposes(move) or (move.does("propose", "offer", "decide_weak") and not move.does("unknown", "defer"))


def _lead_before(move: Move, talk: Talk) -> bool:
    """そうしよう。順番を入れ替える。 The word that settles stands alone before."""
    before = next(iter(talk.before(move, 0)), None)
    return before is not None and len(before.text) <= 14 and _LEAD.match(before.text) is not None


def _declares(move: Move) -> bool:
    """Present, affirmative or negative, or a noun phrase: not what was, is going on, or may be."""
    text = half_width(move.text).rstrip("。.、 ")
    text = _LEAD.sub("", text).lstrip("、 ") or text  # わかりました is no report
    if not is_japanese(text):
        return re.search(r"\b(?:will|we|goes|is|are|stays|no)\b", text, re.IGNORECASE) is not None and "?" not in text
    if _HEDGED.search(text):
        return False
    found = [w for w in words(text) if w.kind not in ("補助記号", "空白")]
    return bool(found) and (
        found[-1].pos[5].startswith(("終止形", "意志推量形"))
        or found[-1].kind in ("名詞", "接尾辞")
        or found[-1].text in ("で", "ね", "な", "よ")
    )


def _takes_up(move: Move, proposal: Move, lead: bool) -> bool:
    shared = subject_words(move.text) & subject_words(proposal.text)
    figures = {(q.value, q.unit) for q in find_quantities(move.text)} & {
        (q.value, q.unit) for q in find_quantities(proposal.text)
    }
    named = labels(move.text) & labels(proposal.text)
    return bool(shared or figures or named) if lead or len(move.text) <= SHORT else len(shared) >= 2 or bool(named)
