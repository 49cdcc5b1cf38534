"""Approvals: 承認します。その予算で進めてください. The proposal is decided; to go on with it is nobody's task.

What is approved was put forward by somebody else, mostly a few lines before; without it there is no decision.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.common.japanese.normalise import half_width, is_japanese
from apps.minutes.text import plain, plain_en
from apps.minutes.text.found import Found, labels, subject_nouns
from apps.minutes.text.matters import matter, nearest_topic, petition, proposes
from apps.minutes.text.moves import Move, Talk
from apps.minutes.text.reasons import Reason

# Words for what lies before the meeting, whatever it is: 稟議は私が承認します names no matter.
_FORMAL = frozenset(
    ("予算", "稟議", "GO", "Go", "ゴー", "申請", "提案", "金額", "条件", "日程", "内容", "見積もり", "見積り", "見積", "計画", "価格", "プラン", "スケジュール", "原案", "本案",
     "承認", "許可", "了承", "決裁", "認可", "通り", "とおり", "basis", "approval", "proposal", "fine", "approved", "proceed", "happy", "approve", "ahead")
)  # fmt: skip
_OTHERS_DEED = re.compile(r"(?:本社|本部|上司|部長|役員|会社|先方|お客様?|監督|当局)[がはで].{0,12}(?:承認|許可|決裁)")
_JOINS_IN = re.compile(r"(?:ましょう|よう|ろう|こう)[ねよ]?[。]?$")  # そうしましょう: agreed among equals, not approved
_VERBAL = re.compile(r"[うくぐすつぬぶむる]$|ない$")


def approves(move: Move) -> bool:
    """Whether a sentence approves something, here and now."""
    if not move.does("approve") or move.does("question", "negated", "hypothetical", "reported", "confirm"):
        return False
    return _OTHERS_DEED.search(half_width(move.text)) is None


def find_approval(move: Move, talk: Talk, items: Sequence[Found]) -> Found | None:
    """The decision that an approval takes; None when it only confirms the one just taken or answers nothing."""
    if any(i.core.sentence.turn == move.sentence.turn and move.index - i.moves[-1].index <= 2 for i in items[-1:]):
        items[-1].cite(move)
        return None
    if own := _own_matter(move):
        return Found("decision", own, move, [move], quote=move.text)
    asked = petition(move, talk)
    if asked is None or talk.objection(move):
        return None
    text, sources = matter(asked, talk)
    joins = _JOINS_IN.search(move.text) is not None and _VERBAL.search(text) is not None
    found = Found("decision", text if joins else _approved(text), move, [move], quote=f"{asked.text} {move.text}")
    found.refer(*sources)
    if asked.sentence.turn < move.sentence.turn - 4:
        found.reasons.append(Reason("antecedent"))
    return found


def find_choice(move: Move, talk: Talk) -> Found | None:
    """A社で発注してください after somebody proposed A社: the instruction decides which."""
    named = labels(move.text)
    if not named or not move.does("request") or move.does("question", "hypothetical", "reported"):
        return None
    asked = next(
        (m for m in talk.before(move, 3)[:8] if m.speaker != move.speaker and named & labels(m.text) and proposes(m)),
        None,
    )
    if asked is None:
        return None
    text = plain.plain(move.text)
    found = Found("decision", text, move, [move], quote=f"{asked.text} {move.text}")
    near = nearest_topic(asked, talk)
    if near is not None and not subject_nouns(text) - named:
        found.text = f"{near[0]}は{text}"
        found.refer(near[1])
    found.refer(asked)
    return found


def _own_matter(move: Move) -> str:
    """What the sentence itself says is approved: 教育費の増額を承認します."""
    if not is_japanese(move.text):
        text = plain_en.decision_text(move.text)
        return text if subject_nouns(text) - _FORMAL else ""
    text = plain.decision_text(move.text)
    return text if subject_nouns(text) - _FORMAL else ""


def _approved(text: str) -> str:
    if not is_japanese(text):
        return f"Approved: {text[:1].lower()}{text[1:]}" if text[:2].istitle() else f"Approved: {text}"
    if _VERBAL.search(text):
        return f"{text}ことを承認"
    return f"{text}（承認）" if re.search("[をが]", text) else f"{text}を承認"
