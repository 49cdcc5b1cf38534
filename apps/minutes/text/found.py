"""A candidate item while the rules work on it: its text, its moves, what is doubtful about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from apps.common.japanese.normalise import half_width
from apps.common.japanese.words import content_words, words
from apps.minutes.text.dues import Due
from apps.minutes.text.moves import Move
from apps.minutes.text.reasons import Reason

Kind = Literal["decision", "action", "open_question", "dissent"]

# Words that name no subject: a sentence with only these needs the one before it to be understood.
_GENERIC = {
    "こと", "これ", "それ", "あれ", "この", "その", "件", "方", "ほう", "形", "感じ", "もの", "ところ", "対応", "手配", "作業", "準備",
    "お願い", "やる", "する", "よい", "いい", "そう", "ため", "とき", "中", "次回", "次", "今回", "今日", "本日", "来週", "今週", "明日",
    "まま", "方向", "方針", "案", "点", "話", "私", "僕", "俺", "自分", "皆さん", "皆", "みんな", "誰", "何", "どう", "確認", "検討", "決める",
    "決まる", "決定", "本件", "両方", "以上", "担当", "分", "日", "月", "週", "曜", "まで", "後", "前", "すぐ", "お", "ご", "ない", "宿題",
    "課題", "結論", "時点", "現時点", "今", "継続", "保留", "原案", "審議", "お諮り", "諮る", "考える", "思う", "話す", "言う", "聞く", "見る",
    "it", "that", "this", "do", "them", "one", "we", "i", "you", "go",
}  # fmt: skip


@dataclass
class Found:
    """``core`` is the sentence that makes it an item; ``moves`` those that are part of it (request, deadline, answer);
    ``context`` what they refer to and what stays free to become another item.
    """

    kind: Kind
    text: str
    core: Move
    moves: list[Move]
    context: list[Move] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    weak: bool = False
    owner: str | None = None
    owner_speaker: str | None = None
    due: Due | None = None
    quote: str = ""

    @property
    def segments(self) -> list[str]:
        """Ids of the cited segments in the order of the transcript."""
        ordered = sorted({m.index: m for m in (*self.moves, *self.context)}.values(), key=lambda m: m.index)
        return list(dict.fromkeys(s for m in ordered for s in m.sentence.segments))

    def cite(self, *moves: Move) -> None:
        self.moves += [m for m in moves if m not in self.moves]

    def refer(self, *moves: Move) -> None:
        self.context += [m for m in moves if m not in self.context and m not in self.moves]


_LABELLED = re.compile(
    r"[A-Z](?:案|社|プラン|店|棟|工場|パターン|タイプ|コース)|第[\d一二三四五六七八九十]+(?:号|案|工場|四半期)"
)


def labels(text: str) -> set[str]:
    """Names of alternatives: A社, B案, 第二号."""
    return set(_LABELLED.findall(half_width(text)))


def subject_words(text: str) -> set[str]:
    """Content words that say what it is about."""
    if text.isascii():
        return {w for w in _english(text) if w not in _GENERIC and len(w) > 2}
    return labels(text) | {
        w.base for w in words(text)
        if w.base in content_words(text) and w.base not in _GENERIC and w.pos[1] not in ("数詞", "固有名詞")
        and "助数詞" not in w.pos[2] and w.pos[2] != "副詞可能"
    }  # fmt: skip


_STOP = frozenset(
    """the a an to of for and or in on at is are be was were will would can could should with by from as our your their my
    his her its have has had not no so please next week month friday monday tuesday wednesday thursday end before until
    also there then now just get got make sure let us me they he she right leave open meeting later decide decided today
    know still question check sure yes okay don can't we'll i'll it's that's depends answer yet""".split()
)


def _english(text: str) -> Iterable[str]:
    return (w for w in "".join(c.lower() if c.isalnum() else " " for c in text).split() if w not in _STOP)


def subject_nouns(text: str) -> set[str]:
    """Subject words that name a thing: 増やさない has none, so that it needs the sentence before it.

    A verbal noun counts where a particle makes it the subject or object (通知は週二回まで), not as a deed (確認する).
    """
    if text.isascii():
        return subject_words(text)
    found = words(text)
    things = {
        here.base
        for here, after in zip(found, [*found[1:], None], strict=True)
        if here.kind == "名詞" and ("サ変可能" not in here.pos[2] or (after is not None and after.kind == "助詞"))
    }
    return (subject_words(text) & things) | labels(text)


def overlap(left: str, right: str) -> float:
    """How much of the smaller set of subject words both share, 0 to 1."""
    a, b = subject_words(left), subject_words(right)
    return len(a & b) / min(len(a), len(b)) if a and b else 0.0
