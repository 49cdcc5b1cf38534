"""Topics of a meeting: announced ones (次の議題は…, 続いて…, …の件ですが), else where the words change.

A topic has a title in words of the meeting and its most informative sentences as points.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

from apps.common.japanese.normalise import half_width, is_japanese
from apps.common.japanese.numbers import find_quantities
from apps.minutes.text import plain, plain_en
from apps.minutes.text.found import subject_nouns, subject_words
from apps.minutes.text.moves import Move, Talk

POINTS = 4  # per topic
INFORMATIVE = 2.5  # a number and one subject word
WINDOW = 10  # sentences on each side of a possible change of topic
LONG = 36  # sentences without an announcement before a change of words counts

_END = r"(?:について|に関(?:して|する)|の件|のこと|の話|の状況|の進捗|の結果|の報告|関係|関連)"
_TITLES = (
    re.compile(rf"(?:第?[一二三四五六七八九十\d]+号)?議(?:題|案)(?:の?[一二三四五六七八九十\d]+|は)?(?:、|は|に|:|。|\s)*(?P<t>[^。]{{2,40}}?)(?:{_END}|です|でございます|をお諮り|、|。|$)"),
    re.compile(rf"[一二三四五六七八九十\d]+(?:点|つ|番|件)目(?:は|の|、|に)*(?P<t>[^、。]{{2,30}}?)(?:{_END}|です|、|。|$)"),
    re.compile(rf"^(?:まず|最初に|はじめに|次|続いて|続きまして|最後|それから|それと|あと|もう一つ|もう一点|一点|で)(?:は|に|の|、|ですが|で)*(?P<t>[^。]{{2,34}}?){_END}"),
    re.compile(r"^(?:まず|最初|はじめ|次|続いて|続きまして|最後|それから)(?:は|に|の|、)*(?P<t>[^、。]{2,24}?)(?:です|から|を|なんですけど|なんだけど|ですが|ね|、|。|$)"),
    re.compile(rf"(?P<t>[^、。]{{2,24}}?)(?:{_END})(?:です|ですが|なんです|なんだ|に(?:入|移)|から|ね|、|$)"),
    re.compile(r"(?:next (?:topic|item|up|point)|first (?:topic|item|up)|moving on to|let's (?:start|begin) with|let's (?:move on to|talk about|turn to|look at|discuss)|turning to|what about|one more thing|on to|next)(?: is| on the agenda is)?[,:]?\s(?:the\s)?(?P<t>[^.?!,]{3,40})", re.I),
)  # fmt: skip
_ANNOUNCES = re.compile(
    r"議(?:題|案)|[一二三四五六七八九十\d]+(?:点|つ|番|件)目|^(?:まず|最初に|はじめに|次(?:に|は|、|の(?:議題|話題))|続いて|続きまして|最後に|それから|それと|あと|もう一つ|もう一点)|(?:の件|の話)(?:です|なんです|ですが|なんだ|に(?:入|移)|ね$)"
)
_TRIM = re.compile(
    r"^(?:では|それでは|じゃあ?|さて|はい|本日の|今日の|えー|は|に|の|、|\s)+|(?:の?ほう|は|を|が|に|の|も|、|から|です|ですが|なんですけど|\s)+$"
)
_NOT_A_TITLE = re.compile(
    r"^(?:それ|これ|そこ|以上|こちら|この|その|皆さん|私|ほか|他|何|どう|今日|本日|次|また|なので)(?:$|は|の)|(?:ます|ました|ません|です|さん)$|ください"
)


@dataclass
class Section:
    """Moves ``first`` to ``last`` on one matter. ``titled``: the title was said; else it is made of frequent words."""

    title: str
    moves: list[Move]
    titled: bool
    points: list[Move] = field(default_factory=list)


def find_topics(talk: Talk) -> list[Section]:
    """All topics in order; opening and closing words belong to none."""
    body = [m for m in talk.moves if not _frame(m)]
    agenda = _agenda(talk)
    starts = {m.index: title for m in body if (title := _of_agenda(m, agenda) or _announced(m, talk))}
    cuts = _spaced(sorted(starts), body)
    cuts = sorted({*cuts, *_shifts(body, cuts)})
    sections = _sections(body, cuts, starts)
    for section in sections:
        section.points = _points(section.moves[section.titled :])
    return [s for s in sections if s.title]


_ITEMS_JA = re.compile(r"^(?:本日|今日|今回)(?:の議題)?は、?(?P<items>.+?)(?:の件|の話|について|の[二三四五2-5][つ点件])?(?:です|になります|でございます)[。]?$")
_ITEMS_EN = re.compile(r"(?:things|items|points|topics|agenda)[^:]{0,30}:\s*(?P<items>.+?)[.]?$", re.IGNORECASE)


def _agenda(talk: Talk) -> list[str]:
    """The matters named at the opening: 今日は移行日程とテスト体制、あと予算の件です。"""
    for move in talk.moves[:12]:
        if not move.does("agenda_overview"):
            continue
        japanese = is_japanese(move.text)
        told = (_ITEMS_JA if japanese else _ITEMS_EN).search(half_width(move.text))
        if told is None:
            continue
        marks = r"、(?:あと|それから|そして)?|と(?=[一-鿿ァ-ヴーA-Z])|および|並びに" if japanese else r",\s*(?:and\s)?|\sand\s"
        items = [re.sub(r"^(?:あとは?|それから|the|a|an|our)(?=\s|[^a-z])\s*", "", part.strip(), flags=re.IGNORECASE) for part in re.split(marks, told["items"])]
        if len(items) >= 2 and all(2 <= len(item) <= 40 for item in items):
            return items
    return []


def _of_agenda(move: Move, agenda: Sequence[str]) -> str:
    """The item of the agenda that a sentence turns to in its first words; each is turned to where it comes up first."""
    if move.does("accept", "next_meeting"):
        return ""
    opening = (plain.strip_lead(half_width(move.text)) if is_japanese(move.text) else move.text)[:32].lower()
    for item in agenda:
        if is_japanese(item):
            turned = re.match(rf"(?:まず|次に?は?|続いて|最後に?)?(?:は|に|、)*{re.escape(half_width(item).lower())}(?:です|ですが|は|の|に|、|。|$)", opening)
        else:
            words = [w for w in item.lower().split() if len(w) > 2] or [item.lower()]
            turned = re.match(rf"(?:so |ok(?:ay)?,? |right,? |next,? )*(?:on|for|as for|regarding|about|to)?\s?(?:the |our )?{re.escape(words[0])}\b", opening)
        if turned:
            return item[:1].upper() + item[1:]
    return ""


def _frame(move: Move) -> bool:
    return move.does("opening", "agenda_overview", "next_meeting") and not move.does("decide", "request")


def _announced(move: Move, talk: Talk) -> str:
    """The title in a sentence that announces a topic, or nothing."""
    text = plain.strip_lead(half_width(move.text)) if is_japanese(move.text) else move.text
    if not move.does("topic") or move.does("defer", "next_meeting", "agenda_overview"):
        return ""
    if is_japanese(text) and not _ANNOUNCES.search(text):
        return ""
    for pattern in _TITLES:
        match = pattern.search(text)
        if match and (title := _title(match["t"], move, talk)):
            return title
    return ""


def _title(text: str, move: Move, talk: Talk) -> str:
    for named in move.named:
        text = re.sub(
            rf"{re.escape(move.text[named.start : named.end])}(?:さん|委員|取締役|部長|課長)?(?:から|、|の)?", "", text
        )
    text = _TRIM.sub("", text.strip())
    if not text or len(text) > 40 or _NOT_A_TITLE.search(text) or not (subject_nouns(text) or subject_words(text)):
        return ""
    return text[:1].upper() + text[1:]


def _spaced(cuts: Sequence[int], body: Sequence[Move]) -> list[int]:
    """Announcements directly behind each other are one."""
    kept: list[int] = []
    for cut in cuts:
        if not kept or cut - kept[-1] > 2:
            kept.append(cut)
    return kept


def _sections(body: Sequence[Move], cuts: Sequence[int], titles: dict[int, str]) -> list[Section]:
    sections: list[Section] = []
    for move in body:
        if move.index in cuts or not sections:
            sections.append(Section(titles.get(move.index, ""), [], move.index in titles))
        sections[-1].moves.append(move)
    for section in sections:
        if not section.title and len(section.moves) >= 3:
            section.title = _frequent(section.moves)
    return sections


def _frequent(moves: Sequence[Move]) -> str:
    """The two words that a stretch is about: the most frequent nouns."""
    counts: Counter[str] = Counter()
    for move in moves:
        counts.update(w for w in subject_nouns(move.text) if len(w) > 1)
    best = [w for w, n in counts.most_common(2) if n > 1] or [w for w, _ in counts.most_common(1)]
    joint = "・" if any(is_japanese(w) for w in best) else ", "
    return joint.join(best)


def _shifts(body: Sequence[Move], cuts: Sequence[int]) -> list[int]:
    """TextTiling: deep valleys of similarity between windows, in long stretches without an announcement."""
    bags = [Counter(subject_words(m.text)) for m in body]
    gaps = [(i, _similar(bags, i)) for i in range(WINDOW, len(body) - WINDOW) if _turn_starts(body, i)]
    if len(body) < LONG or not gaps:
        return []
    mean = sum(s for _, s in gaps) / len(gaps)
    spread = sqrt(sum((s - mean) ** 2 for _, s in gaps) / len(gaps))
    found: list[int] = []
    for index, similarity in sorted(gaps, key=lambda g: g[1]):
        position = body[index].index
        if similarity < mean - spread and all(abs(position - c) >= LONG // 2 for c in (*cuts, *found)):
            found.append(position)
    return found


def _turn_starts(body: Sequence[Move], index: int) -> bool:
    return body[index].sentence.turn != body[index - 1].sentence.turn


def _similar(bags: Sequence[Counter[str]], index: int) -> float:
    left: Counter[str] = sum(bags[index - WINDOW : index], Counter())
    right: Counter[str] = sum(bags[index : index + WINDOW], Counter())
    dot = sum(left[w] * right[w] for w in left)
    size = sqrt(sum(v * v for v in left.values()) * sum(v * v for v in right.values()))
    return dot / size if size else 0.0


def _points(moves: Sequence[Move]) -> list[Move]:
    """The sentences that tell most: facts with numbers and many subject words, in the order they were said."""
    scored = sorted(((_weight(m), -m.index, m) for m in moves if _informs(m)), reverse=True)
    chosen = [m for weight, _, m in scored[:POINTS] if weight >= INFORMATIVE]
    return sorted(chosen, key=lambda m: m.index)


def _informs(move: Move) -> bool:
    if move.does(
        "opening", "procedural", "request", "question", "decide", "offer", "next_meeting", "agenda_overview", "confirm"
    ):
        return False
    return 8 <= len(move.text) <= 160 and not (move.does("accept") and len(move.text) < 16)


def _weight(move: Move) -> float:
    skip = [(d.start, d.end) for d in move.dates]
    return 2 * len(find_quantities(move.text, skip=skip)) + len(move.dates) + len(subject_words(move.text)) * 0.8


def point_text(move: Move) -> str:
    """A point as a clause."""
    text = move.text.rstrip("。. ")
    return plain.statement_text(text) if is_japanese(text) else plain_en.statement_text(text)
