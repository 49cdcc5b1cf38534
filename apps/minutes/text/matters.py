"""What a short sentence is about: the topic a speaker names first, the proposal somebody agrees to.

それでいきましょう, 承認します, 三名にします say nothing by themselves; what they settle was said a few lines before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.common.japanese.normalise import half_width, is_japanese
from apps.common.japanese.numbers import find_quantities
from apps.minutes.text import plain, plain_en
from apps.minutes.text.found import labels, subject_words
from apps.minutes.text.moves import Move, Talk

_SET_TOPIC = re.compile(
    r"^(?P<t>[^、。]{2,24}?)(?:の件)?(?:なんですけ(?:れ)?ど(?:も)?|なんですが|なんだけど|なのですが|ですけ(?:れ)?ど(?:も)?|ですが|につい(?:て|ては|ても)|に関して|の話|の件)(?:は|、|$|(?=.))"
    r"|^(?P<q>[^、。はがを]{2,16}?)(?=どう(?:する|します|しましょう|なり|なる))"
    r"|^(?:next|first|then|about|on to|regarding|as for|turning to)[, ]+(?:up[, ]+|is |topic is |item is )?(?:the |our )?(?P<en>[a-z][\w' -]{2,30}?)[.,?]",
    re.IGNORECASE,
)
_TOPIC = re.compile(r"^(?P<t>[^、。]{1,24}?)(?<![でにとへ])(?:は|って)(?:、|(?=.))")
_SUGGESTS = re.compile(
    r"どう|いかが|たい|(?:ほう|方)が(?:いい|良|よ|望)|ませんか|ましょうか|案|べき|しようか|提案|お願い|申請|許可|承認|よろし|(?:て|で)も(?:いい|よ)|という(?:意見|手|方法|選択肢|の)|(?:て|で)はと"
    r"|\b(?:could|should|shall|how about|what about|propose|suggest|option|ask(?:ing)?|request(?:ing)?|like to|would like|can we|may (?:i|we))\b",
    re.IGNORECASE,
)
_OBJECTS = re.compile(r"^(?:でも|ただ|しかし|ですが|とはいえ|いや|but|however)", re.IGNORECASE)
_POINTS = re.compile(r"^(?:それ|これ|あれ|その|この|私|僕|俺|うち|では|前回|今回|次回|今日|本日)")
_MONEY, _DAYS = (
    re.compile(r"予算|金額|費用|見積|価格|値段|budget|amount|price|quote|cost"),
    re.compile(r"日程|日取り|スケジュール|時期|date|schedule"),
)
_PETITION = re.compile(
    r"^(?:i'?m |i am |we'?re |we are )?(?:asking|requesting|applying)(?: (?:the board|you|everyone|for approval))?(?: of| for| to)?\s",
    re.IGNORECASE,
)
_MOTION = re.compile(
    r"(?:第[\d一二三四五六七八九十]+号)?議案、?(?P<t>[^。]{2,40}?)(?:の件)?(?:です|でございます|につい(?:て|ては)|をお諮り|を審議|。|$)"
)
_PAST = re.compile(r"昨年|去年|前回|先月|前年|\blast (?:year|month|time)\b", re.IGNORECASE)
MONEY_UNITS = frozenset(("円", "ドル", "ユーロ"))


def topic_phrase(text: str, *, announced: bool = False) -> str:
    """The noun phrase that a sentence sets as its topic (会場の飾り付けなんですが …, 通訳は …), or nothing.

    ``announced``: only where the speaker turns to it, not wherever は stands.
    """
    bare = plain.strip_lead(half_width(text)) if is_japanese(text) else text
    match = _SET_TOPIC.match(bare) or (None if announced else _TOPIC.match(bare))
    if match is None:
        return ""
    said = match.groupdict()
    phrase = (said.get("t") or said.get("q") or said.get("en") or "").strip()
    if not subject_words(phrase) - labels(phrase) or _POINTS.match(phrase):
        return ""
    return phrase[:1].upper() + phrase[1:]


def motion(move: Move) -> str:
    """The title of a motion that a sentence puts (第一号議案、自己株式の取得についてお諮りします), or nothing."""
    found = _MOTION.search(half_width(move.text))
    return found["t"].strip("、") if found and subject_words(found["t"]) else ""


def proposes(move: Move) -> bool:
    """Whether a sentence puts something forward, rather than only doubts or objects."""
    if _OBJECTS.match(plain.strip_lead(move.text)) or _OBJECTS.match(move.text):
        return False
    return move.does("propose", "confirm", "offer", "request") and _SUGGESTS.search(half_width(move.text)) is not None


def petition(move: Move, talk: Talk) -> Move | None:
    """What an approval answers: the nearest thing that somebody else put forward, by kind where the approval names one."""
    earlier = [m for m in talk.before(move, 6)[:14] if m.speaker != move.speaker and subject_words(m.text)]
    priced = [m for m in earlier if _prices(m)]
    if _MONEY.search(move.text) and priced:
        return priced[0]
    if _DAYS.search(move.text) and (dated := [m for m in earlier if m.dates and not m.does("reported")]):
        return dated[0]
    return next((m for m in earlier if proposes(m)), None) or next(iter(priced), None)


def _prices(move: Move) -> bool:
    return bool(_amounts(move)) and not _PAST.search(move.text)


def _amounts(move: Move) -> list[str]:
    """Sums of money; in speech the 円 is often left out (六十二万でした)."""
    found = find_quantities(move.text)
    return [q.text for q in found if q.unit in MONEY_UNITS or (not q.unit and re.search("[万億]", q.text))]


def matter(move: Move, talk: Talk) -> tuple[str, list[Move]]:
    """What a sentence puts forward, as a written clause or noun phrase, and the sentences it is made of."""
    if not is_japanese(move.text):
        return _english(move), [move]
    if move.does("propose") and _SUGGESTS.search(move.text):
        return plain.proposal_text(move.text), [move]
    sources = [move, *(m for m in talk.before(move, 1)[:4] if m.speaker == move.speaker)]
    titled = next((m for m in sources if topic_phrase(m.text)), None)
    amounts = _amounts(move)[-1:]
    if titled is not None:
        amount = f"（{amounts[0]}）" if amounts else ""
        return topic_phrase(titled.text) + amount, list(dict.fromkeys([titled, move]))
    return plain.statement_text(move.text.rstrip("。")), [move]


def _english(move: Move) -> str:
    text = re.sub(r"^(?:the )?(?:first|next|second|last) (?:item|topic|point) is [^.]*\.\s*", "", move.text, flags=re.I)
    text = plain_en.proposal_text(text)
    stripped = _PETITION.sub("", text)
    return stripped[:1].upper() + stripped[1:]


def nearest_topic(move: Move, talk: Talk, sources: Sequence[Move] = ()) -> tuple[str, Move] | None:
    """What a sentence is about: the topic of the turns that it answers, else the one announced last."""
    turns = {m.sentence.turn for m in sources}
    earlier = talk.before(move, 8)[:16]
    for near in earlier:
        if near.sentence.turn in turns and (phrase := topic_phrase(near.text)):
            return phrase, near
    return next(((phrase, m) for m in earlier if (phrase := topic_phrase(m.text, announced=True))), None)


def same_figure(move: Move, talk: Talk) -> list[Move]:
    """Earlier sentences with a figure of the same unit: what 三名にする is said about."""
    units = {q.unit for q in find_quantities(move.text) if q.unit}
    return [m for m in talk.before(move, 6)[:12] if units & {q.unit for q in find_quantities(m.text)}]
