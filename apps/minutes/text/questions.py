"""What stayed open, who dissented, when the next meeting is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.common.japanese.normalise import half_width, is_japanese
from apps.minutes.text import plain, plain_en
from apps.minutes.text.found import Found, overlap, subject_nouns, subject_words
from apps.minutes.text.matters import nearest_topic, topic_phrase
from apps.minutes.text.moves import Move, Talk

_QUESTION_TAIL = re.compile(r"(?:なんですけ(?:れ)?ど|なんですが|んですけど|んですが|ですが|ですけど)[、。]?$")
_FRAGMENT = re.compile(r"^(?:そうです|そうなん|うーん|んー|あー|なるほど|確かに|まあ|難しい|悩ましい)[^。]{0,8}$")
_DEFERRED = frozenset(("結論", "判断", "決定", "継続", "検討", "審議", "保留", "次回", "来週", "持ち越し"))
_OPEN_TAIL = re.compile(r"か(?:なん|の|っていうの)(?:です|だ)(?:が|けれ?ど)[、。]?$")
_RAISES = re.compile(r"か(?:を|は|って)?(?:決め|選|考え|検討|相談)")  # どこのにするか決めないといけない
_SELF = re.compile(r"(?:私|僕|俺)(?:が|で|のほうで|の方で)")


def find_open_questions(talk: Talk, taken: set[int]) -> list[Found]:
    """Deferred and undecided matters, each with the question it answers."""
    items: list[Found] = []
    for move in talk.moves:
        if move.index in taken or not _stays_open(move, talk, taken):
            continue
        previous = items[-1] if items else None
        if previous is not None and _same_matter(previous, move):
            previous.cite(move)
            continue
        found = _open(move, talk, taken)
        if found is not None:
            items.append(found)
    return _distinct(items)


def _stays_open(move: Move, talk: Talk, taken: set[int]) -> bool:
    if move.does("opening", "next_meeting", "dissent") or _SELF.search(move.text):
        return False
    if move.does("reported") and re.search(r"(?:でした|ました|だった)(?:けど|が)?[。]?$", move.text):
        return False
    if move.does("question") and _answered(move, talk, taken):
        return False
    if move.does("defer"):
        return not _performs(move) and not (move.does("question") and not _still_unknown(move))
    if move.does("unknown", "pending") and not move.does("question", "decide"):
        asked = [
            m for m in talk.before(move, 1)
            if m.does("question") and not m.does("confirm", "offer") and m.speaker != move.speaker and subject_words(m.text)
        ]  # fmt: skip
        settled = any(m.index in taken for m in talk.after(move, 2)[:4])
        return bool(asked) and not settled
    return False


def _answered(move: Move, talk: Talk, taken: set[int]) -> bool:
    """Somebody else settles it at once: a task or a decision follows, and nobody says that it is not known yet."""
    replies = [m for m in talk.after(move, 1) if m.speaker != move.speaker]
    return any(m.index in taken for m in replies[:2]) and not any(m.does("unknown", "pending") for m in replies)


def _performs(move: Move) -> bool:
    if re.search(r"ことに(?:決定|決め)", move.text) and move.does("decide"):
        return True
    return re.search(r"否決|可決|却下|見送(?:り|る)", move.text) is not None and "次回" not in move.text


def _still_unknown(move: Move) -> bool:
    """A question that itself says that the matter is open: まだ決まってないですよね."""
    return re.search(r"まだ|未定|決まって(?:い)?(?:ない|ません)", move.text) is not None


def _same_matter(previous: Found, move: Move) -> bool:
    near = move.sentence.turn - previous.moves[-1].sentence.turn
    if near > 1:
        return False
    thin = len(subject_words(move.text)) < 2
    return (
        (near == 0 and thin)
        or overlap(previous.quote, move.text) >= 0.5
        or (near == 1 and thin and not move.does("topic"))
    )


def _open(move: Move, talk: Talk, taken: set[int]) -> Found | None:
    """The item: the question that was asked if there is one, else the sentence that defers."""
    if (held := _held_over(move, talk)) is not None:
        return held
    asked = _question_before(move, talk, taken)
    own = _own_subject(move) and (asked is None or is_japanese(move.text))
    if asked is None and not own:
        about = [
            m for m in talk.before(move, 1) if subject_words(m.text) and m.index not in taken and not m.does("opening")
        ]
        if not about:
            return None
        asked = about[0]
    source = move if own and (asked is None or overlap(asked.text, move.text) > 0) else asked or move
    found = Found("open_question", _text(source), move, [move], quote=f"{source.text} {move.text}")
    if asked is not None:
        found.refer(asked)
    if source is move:
        _name_in_full(found, talk)
    elif (
        is_japanese(found.text)
        and own
        and not move.does("pending")
        and subject_words(move.text) - subject_words(source.text)
    ):
        found.text = f"{found.text}（{_text(move)}）"
    return found if subject_words(found.text) else None


_POINTS_BACK = re.compile(r"^(?:そこ|それ|これ|この件|その件|ここ)(?:は|も|については|だけは)、?")


def _held_over(move: Move, talk: Talk) -> Found | None:
    """審査部の件は私から話します。そこは保留で、次回決めましょう: the same breath has said what stays open."""
    if not _POINTS_BACK.match(plain.strip_lead(move.text)):
        return None
    for earlier in talk.before(move, 0)[:2]:
        if phrase := topic_phrase(earlier.text):
            rest = plain.plain(_POINTS_BACK.sub("", plain.strip_lead(move.text)))
            found = Found("open_question", f"{phrase}は{rest}", move, [move], quote=f"{earlier.text} {move.text}")
            found.refer(earlier)
            return found
    return None


def _name_in_full(found: Found, talk: Talk) -> None:
    """色は…今日は決めない → 壁の色は…: the topic was announced with its full name."""
    short, near = topic_phrase(found.text), nearest_topic(found.core, talk)
    if short and near is not None and near[0] != short and near[0].endswith(short):
        found.text = found.text.replace(short, near[0], 1)
        found.refer(near[1])


def _own_subject(move: Move) -> bool:
    """Whether the deferring sentence says itself what is deferred."""
    text = half_width(move.text)
    if not is_japanese(text):
        return bool(subject_words(text)) and not re.search(r"\b(?:it|this|that)\b", text, re.I)
    if re.search(r"^(?:.{0,8})?(?:それ|これ|そこ|この件|その件|本件)(?:は|が|も|を|については)", text):
        return False
    return re.search(r"(?:は|が|も|を|について|に関して|の件)", text) is not None and len(subject_words(text)) >= 1


def _question_before(move: Move, talk: Talk, taken: set[int]) -> Move | None:
    """The question that the sentence answers: by another speaker just before, or its own opening words."""
    for earlier in talk.before(move, 2)[:7]:
        if earlier.index in taken:
            return None
        own_turn = earlier.speaker == move.speaker and not earlier.does("question")
        if not own_turn and subject_nouns(earlier.text) and not earlier.does("procedural", "confirm"):
            if (
                earlier.does("question", "propose")
                or _RAISES.search(earlier.text)
                or _QUESTION_TAIL.search(earlier.text)
            ):
                return earlier
        if earlier.does("opening") or (
            earlier.does("topic", "chair") and earlier.sentence.turn < move.sentence.turn - 1
        ):
            return None
    return None


def _text(move: Move) -> str:
    if not is_japanese(move.text):
        return (
            plain_en.proposal_text(move.text)
            if move.does("propose") and not move.does("question")
            else plain_en.question_text(move.text)
        )
    text = plain.strip_lead(move.text)
    if _OPEN_TAIL.search(move.text):
        return plain.question_text(_OPEN_TAIL.sub("か", move.text))
    return plain.question_text(text) if move.does("question") else plain.plain(text)


def _distinct(items: Sequence[Found]) -> list[Found]:
    """Without later items on the same matter; their lines join the first."""
    kept: list[Found] = []
    for found in items:
        same = next((k for k in kept if k.text == found.text or _about_the_same(k, found)), None)
        if same is None:
            kept.append(found)
        else:
            same.cite(*found.moves)
    return kept


def _about_the_same(first: Found, second: Found) -> bool:
    """Nearly the same words, or the same things: 制服のデザインは誰が選ぶか and 制服のデザインは次回に持ち越す."""
    if overlap(first.quote, second.quote) >= 0.8:
        return True
    one, two = (subject_nouns(f.text) - _DEFERRED for f in (first, second))
    return len(one & two) >= 2 and len(one & two) >= 0.75 * min(len(one), len(two))


def find_next_meeting(talk: Talk) -> Found | None:
    """The sentence that names the next meeting's day; the last one counts."""
    named = [
        m for m in talk.moves if m.does("next_meeting") and m.dates and not m.does("request", "decide_weak", "defer")
    ]
    named = named or [m for m in talk.moves if m.does("next_meeting") and m.dates and not m.does("defer")]
    if not named:
        return None
    move = named[-1]
    text = plain.strip_lead(move.text).rstrip("。") if is_japanese(move.text) else plain_en.decision_text(move.text)
    return Found("decision", text, move, [move], quote=move.text)
