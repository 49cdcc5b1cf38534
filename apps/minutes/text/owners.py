"""Who does a task: who was addressed, else who accepted or volunteered, else nobody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apps.common.japanese.normalise import is_japanese
from apps.minutes.text.found import Found
from apps.minutes.text.moves import Move, Talk
from apps.minutes.text.people import Named
from apps.minutes.text.reasons import Reason

_CALLED = re.compile(
    r"^(?:さん|様|くん|君|ちゃん|氏|部長|課長|次長|係長|主任|室長|支店長|委員|取締役|リーダー|マネージャー|先生|代理)?(?:の)?"
    r"(?:(?P<agent>のほう(?:で|から)?|の方(?:で|から)?|のところ(?:で|から)|は|が|には|、|。|$|におかれましては|も)|(?P<ni>に(?=.{0,12}(?:お願い|担当|対応|頼|任せ|やって|して(?:もら|いただ))))|(?P<bare>(?=[一-鿿ァ-ヴーぁ-ん])(?![がにをとへのでもやか])))"
)
_RECIPIENT = re.compile(
    r"^(?:さん|様|くん|氏|部長|課長|委員|取締役)?(?:に(?!(?:は|.{0,12}(?:お願い|担当|対応|頼|任せ)))|へ|と|から|宛|を|の(?!ほう|方))"
)


@dataclass(frozen=True)
class Answer:
    """How the others reply to a request."""

    moves: tuple[Move, ...] = ()
    speaker: str | None = None
    declined: bool = False
    volunteered: bool = False


def own_team(move: Move) -> Named | None:
    """営業から連絡します: the department that the speaker answers for."""
    for named in move.named:
        after = move.text[named.end :]
        if not named.known or not re.match(r"(?:さん)?(?:から|のほう(?:で|から)|の方(?:で|から)|で|が)", after):
            continue
        if re.search(r"(?:部|課|室|チーム|グループ|センター|支店)$", named.name) and move.does("commit"):
            return named
    return None


def addressee(move: Move, talk: Talk) -> Named | None:
    """The person or department that a sentence asks: called, made the subject, or asked with に…お願いします."""
    text, best = move.text, None
    for named in move.named:
        after = text[named.end :]
        called = _CALLED.match(after) if is_japanese(text) else _called_en(text, named)
        if not called and not _is_person(named):
            called = _CALLED.match(re.sub(r"^で(?!も)", "が", after))
        if not called or (is_japanese(text) and _RECIPIENT.match(after) and not called["ni"] and not called["agent"]):
            continue
        if talk.people.resolve(talk.name_of(move)) and named.name == talk.name_of(move):
            continue
        if best is None or (named.known and not best.known) or _is_person(named) > _is_person(best):
            best = named
    return best


_TOGETHER = re.compile(r"^(?:, | and |, and )$|^(?:さん|くん|君|ちゃん|様|部長|課長|委員)?(?:と|、|・|や|および|及び)$")


def joint(move: Move, talk: Talk) -> list[Named]:
    """加藤さんと江口さんで…: participants who are asked together, in order; empty unless there are two or more."""
    people = [n for n in move.named if n.known and _is_person(n)]
    found = people[:1]
    for named in people[1:]:
        if not _TOGETHER.match(move.text[found[-1].end : named.start]):
            break
        found.append(named)
    after = move.text[found[-1].end :] if found else ""
    agents = re.match(
        r"(?:,|\s(?:will|please|can|could|to|should)\b)|(?:さん|くん|君|ちゃん|様|部長|課長|委員)?(?:の(?:お)?(?:二人|2人|三人))?(?:で|が|は|、|に(?=.{0,12}(?:お願い|任せ|頼)))",
        after,
    )
    return found if len(found) > 1 and agents and talk.name_of(move) not in {n.name for n in found} else []


def _own_name(move: Move, talk: Talk) -> str | None:
    """The asking speaker's own name where somebody else's must have been said: a slip of speech recognition."""
    name = talk.name_of(move)
    called = (n for n in move.named if n.name == name and _CALLED.match(move.text[n.end :]))
    return name if next(called, None) and talk.people.resolve(name) else None


def _called_en(text: str, named: Named) -> re.Match[str] | None:
    """ "Tom, please …", "can you …, Tom", "Tom will …", "Tom to …"."""
    before, after = text[: named.start], text[named.end :]
    subject = re.match(
        r"\s(?:to|will|can|could|should|is going to|needs to|has to|would you|please)\b|,|\?|\.|$", after
    )
    return subject if subject and not re.search(r"\b(?:with|to|from|for|by|ask|tell|and)\s$", before, re.I) else None


def _is_person(named: Named) -> bool:
    return re.search(r"(?:部|課|室|グループ|チーム|支店|センター|事務局|委員会)$", named.name) is None


def set_owner(found: Found, parts: Sequence[Move], answer: Answer, talk: Talk) -> None:
    asked = (
        next((a for m in parts if (a := addressee(m, talk))), None)
        or _called_after(parts[-1], talk)
        or _called_before(parts[0], talk)
    )
    if answer.volunteered and answer.speaker:
        found.owner, found.owner_speaker = talk.speakers[answer.speaker].name, answer.speaker
        doubt_identity(found, talk)
    elif both := joint(parts[0], talk):
        found.owner = ("・" if is_japanese(parts[0].text) else ", ").join(n.name for n in both)
    elif asked is not None:
        found.owner = asked.name
        said = parts[0].text[asked.start : asked.end]
        if not asked.known:
            found.reasons.append(Reason("owner_unknown", asked.name))
        elif not asked.sure:
            found.reasons.append(Reason("owner_sound", asked.name, said))
        if answer.declined:
            found.reasons.append(Reason("declined"))
    elif answer.speaker is not None:
        found.owner, found.owner_speaker = talk.speakers[answer.speaker].name, answer.speaker
        doubt_identity(found, talk)
        if (own := _own_name(parts[0], talk)) and own != found.owner:
            found.reasons.append(Reason("owner_conflict", f"{own} / {found.owner}"))
    else:
        found.reasons.append(Reason("owner_missing"))


def _called_after(move: Move, talk: Talk) -> Named | None:
    """…まとめてもらえると助かります。小林さん。 The call stands alone behind the request."""
    following = next(iter(talk.after(move, 0)), None)
    if following is None or len(following.named) != 1 or len(following.text) > len(following.named[0].name) + 6:
        return None
    return following.named[0] if _is_person(following.named[0]) else None


def _called_before(move: Move, talk: Talk) -> Named | None:
    """A person called in the sentence before, in the same turn: あ、坂本さん。課題管理表なんですけど …"""
    for earlier in talk.before(move, 0)[:2]:
        if earlier.does("accept", "decide") and not earlier.named:
            continue
        people = [
            n
            for n in earlier.named
            if _is_person(n)
            and re.match(r"(?:さん|くん|君|様|委員|部長|課長)?(?:[、。]|$|は|のほう|の方)", earlier.text[n.end :])
        ]
        if len({n.name for n in people}) == 1 and not earlier.does("request"):
            return people[0]
    return None


def doubt_identity(found: Found, talk: Talk) -> None:
    if found.owner_speaker is None:
        return
    identity = talk.speakers[found.owner_speaker]
    if identity.anonymous and not identity.known:
        named = identity.name != next(m.sentence.speaker for m in talk.moves if m.speaker == found.owner_speaker)
        found.reasons.append(Reason("owner_inferred" if named else "owner_anonymous", identity.name))
