"""What each line of a typed brief is for, where its outline does not say: by the trained tagger of roles.

Headings and labels that name a field have the first word. The tagger has it for prose, for headings nobody foresaw, and
wherever a line under a good heading is plainly something else: an instruction to whoever makes the deck, or a remark
that the client must never see. Such lines are withheld from the deck and named in the findings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from apps.common.japanese.normalise import fold
from apps.common.tagging import Tagger
from apps.common.tagging.outline import Unit, outlined
from apps.proposals.brief.fields import LISTS, SCALARS, concept_of, field_of, is_internal
from apps.proposals.brief.items import Collected, Item
from apps.proposals.brief.numbers import read_numbers
from apps.proposals.brief.prose import (
    as_step,
    audience_in,
    author_in,
    caveat_in,
    client_in,
    needs_in,
    offer_is,
    products_in,
    talking_point,
)
from apps.proposals.brief.splitting import BULLET, named, pieces, sentences
from apps.proposals.evidence.figures import quantities

# Role of the tagger → field of the brief. Terms belong to the product named before them.
FIELDS = {
    "client": "client", "facts": "facts", "needs": "needs", "products": "products", "terms": "terms",
    "effects": "effects", "cost": "cost", "schedule": "schedule", "risks": "risks", "comparison": "comparison",
    "audience": "audience", "request": "request", "internal": "internal", "greeting": "greeting",
    "heading": "greeting", "context": "context",
}  # fmt: skip
_OPEN = frozenset(("prose", "prose_need"))  # the outline has not said what it is
_LOOSE = {"context": 0.5, "other": 0.7}  # a heading for anything: the tagger needs this much to know better
_ASIDE = frozenset(("request", "internal", "greeting"))
# Probability from which the tagger overrules a heading: for its bullets and rows, for plain text below it, for asides.
SURE, SURE_PLAIN, SURE_ASIDE, SURE_INTERNAL = 0.8, 0.5, 0.6, 0.4
GUESS = 0.4
FEWEST = 6  # pieces: in a brief of three lines the words around say too little
LEFT_OUT = {"greeting": SURE_ASIDE, "internal": 0.2}  # a secret on a slide costs more than a line withheld
_LINE = re.compile(r"^line (\d+)$")

Tags = dict[str, float]


@lru_cache(maxsize=1)
def _tagger() -> Tagger:
    return Tagger.load(Path(__file__).with_name("roles.npz"))


def units(text: str) -> list[tuple[int, Unit]]:
    """The pieces of a brief with their line numbers: a bullet or table row is one, prose is cut into sentences."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        whole = BULLET.match(line) or line.lstrip().startswith(("|", "#"))
        parts = [line] if whole else sentences(line) or [line]
        found += [(number, Unit(part, same=index > 0)) for index, part in enumerate(parts)]
    return found


def place_by_role(found: Collected, text: str) -> None:
    """Move what the outline left open, or put where it does not belong, to the field of its role."""
    _silence(found)
    pieces_of = units(text)
    if len(pieces_of) < FEWEST:
        return
    tags = _tagger().tag(outlined([unit for _, unit in pieces_of], concept_of))
    by_line: dict[int, list[tuple[str, Tags]]] = {}
    for (number, unit), tag in zip(pieces_of, tags, strict=True):
        by_line.setdefault(number, []).append((unit.text, _fields(tag)))
    items, found.items = found.items, []
    begun: dict[str, str] = {}  # field of one value → the line that gives it
    for item in items:
        line = _LINE.match(item.locator)
        near = by_line.get(int(line[1]), []) if line else []
        first = begun.setdefault(item.field, item.locator) == item.locator
        _place(found, item, _role(item, near, first))


# ここは先方から話が出るまで触れないで: it asks for silence on what was said right before it.
_POINTS_BACK = re.compile(
    r"^(?:[※*(（]\s*)?(?:ただし?、?|なお、?|でも、?|ですが、?|but\s)?(?:(?:ここ|これ|それ|そこ|あれ)(?:だけ)?(?:は|も|について|に関して|、)|(?:この|その|上の|上記の|以上の)(?:件|話題?|点|辺|あたり|部分|内容|数字|情報)|"
    r"上記|(?:please )?leave (?:this|that|it) out\b|(?:please )?keep (?:this|that|it) (?:quiet|out|between)\b|(?:please )?(?:don'?t|do not) (?:mention|say|show|write|raise|bring) (?:this|that|it)(?=[.,;!]|$| (?:to|yet|in|until|unless|before|on|up)\b)|(?:this|that|it)(?:'s| is| one)?\b)",
    re.IGNORECASE,
)


# 資料には出さないこと: an order without an object of its own.
_ORDER_ALONE = re.compile(
    r"^(?:[※*(（]\s*)?(?:絶対に?|決して|くれぐれも|念のため)?(?:(?:ご?提案)?(?:資料|スライド|書面|提案書|議事録|メール)|先方|お客(?:様|さま)|相手|本人|社長|外部?)?(?:に|には|にも|では|の前では)?、?"
    r"(?:絶対に?|決して|一切)?(?:載せ|書か|出さ|見せ|言わ|触れ|入れ|話さ|伝え)(?:ない|ず|ません)"
)


def _only_silence(text: str) -> bool:
    """Whether a sentence says no more than that: この件は社内限りですが、社長は他行と揉めています tells a secret of its own."""
    secret = list(_SECRET.finditer(text))
    if not secret or len(text) - secret[-1].end() > 14:
        return False
    return (_POINTS_BACK.match(text.strip()) or _ORDER_ALONE.match(text.strip())) is not None


def _silence(found: Collected) -> None:
    """Withhold what an instruction not to mention *it* points back to: the sentence before, on this line or the last."""
    kept: list[Item] = []
    for item in found.items:
        line = _LINE.match(item.locator)
        before = _LINE.match(kept[-1].locator) if kept else None
        near = line and before and 0 <= int(line[1]) - int(before[1]) <= 1
        if near and _only_silence(item.text):
            about = kept.pop()
            found.withheld.append((about.text, about.locator))
        kept.append(item)
    found.items = kept


def _fields(tag: Tags) -> Tags:
    total: Tags = {}
    for role, chance in tag.items():
        total[FIELDS[role]] = total.get(FIELDS[role], 0.0) + chance
    return total


def _role(item: Item, near: Sequence[tuple[str, Tags]], first: bool) -> str:
    """The field an item goes to: that of the outline, unless the tagger knows better.

    A label like ``To:`` or ``件名：`` speaks for its own line; what follows below it is prose again.
    """
    if _SECRET.search(item.text) or (item.field == "other" and is_internal(item.heading)):
        return "internal"
    if item.field in (*_OPEN, "context", "request"):
        if offer_is(item.text) or (_PROPOSES.search(item.text) and products_in(item.text)):
            return "products"
        if caveat_in(item.text):
            return "risks"
    if not near:
        return item.field
    tag = max(near, key=lambda piece: _shared(piece[0], item.text))[1]
    best = max(tag, key=lambda name: tag[name])
    if item.field in _OPEN and _SUBSIDY.search(item.text) and best in ("cost", "terms", "facts"):
        return "terms"
    if item.field in (*_OPEN, "context", "schedule") and _NEXT_VISIT.match(item.text):
        return "context"
    if item.field in _OPEN and _VISIT.search(item.text) and best in ("schedule", "client", "greeting", "audience"):
        return "context"
    if item.field in _OPEN and _WISH.search(item.text) and best in ("facts", "context", "client"):
        return "needs"
    if best in LEFT_OUT and tag[best] < LEFT_OUT[best]:  # to leave a line out takes more than a guess
        best = max((name for name in tag if name != best), key=lambda name: tag[name])
    if best == "request":
        best = _asked_for(item.text)
    label = _labelled(near[0][0])
    if label == item.field and tag.get("internal", 0.0) < SURE_INTERNAL:
        return item.field
    if item.field in _OPEN and tag[best] < GUESS and tag.get("internal", 0.0) < LEFT_OUT["internal"]:
        return item.field  # the cue rules of prose know better than a guess
    if item.field in _OPEN or (item.field in SCALARS and (not first or label == "receiver")):
        return best
    if item.field == "other" and best == "internal" and tag[best] < SURE_INTERNAL:
        return item.field  # its heading says what it is
    if item.field in _LOOSE:
        return best if tag[best] >= (LEFT_OUT.get(best) or _LOOSE[item.field]) else item.field
    if item.field not in LISTS:
        return item.field
    if tag.get("internal", 0.0) >= SURE_INTERNAL and best == "internal":
        return best
    plain = not BULLET.match(near[0][0]) and not near[0][0].lstrip().startswith("|")
    needed = SURE_PLAIN if plain else SURE_ASIDE if best in _ASIDE else SURE
    return best if tag[best] >= needed else item.field


_PROPOSES = re.compile(r"を、?(?:ご?提案|お?勧め|おすすめ|ご案内|ご紹介)(?:し|させていただき|申し上げ)?(?:たい|ます|する|られ)")
_SUBSIDY = re.compile(r"補助率|補助上限|助成率|上限額?は?\s?[0-9０-９]|subsid(?:y|ies) (?:rate|covers)", re.IGNORECASE)
_WISH = re.compile(r"[しりめえきせれべげい]たい(?:そう|とのこと|と(?:おっしゃ|言|話|の)|ご?(?:意向|希望|要望)|よう|らし)")  # the client's, as heard
# When the seller goes there is no step of the plan that is proposed.
_VISIT = re.compile(
    r"(?:お会い|面会|訪問|伺|お邪魔|アポ(?:イント)?|面談)[^。]{0,20}(?:ます|ました|ています|予定です|あります|入れました)。?$"
    r"|\b(?:I|we)(?:'m| am|'re| are|'ll| will)? (?:see|seeing|meet|meeting|visit|visiting)\b",
    re.IGNORECASE,
)


_NEXT_VISIT = re.compile(r"次回\s?(?:[:：は]|の)[^。]*(?:提案|訪問|面談|伺|説明)")


# A clock time makes it an appointment of the seller's.
_APPOINTMENT = re.compile(r"^(?:20\d\d[/年])?\d{1,2}[/月]\d{1,2}日?\s*(?:[（(].[)）])?\s*\d{1,2}(?:時|:\d\d).*(?:提案|訪問|面談|説明|伺|打ち?合わせ)")


def _asked_for(text: str) -> str:
    """What looks like an instruction may say what to sell (…をご提案します) or to talk about (…という話をしたい)."""
    if caveat_in(text):
        return "risks"
    if talking_point(text):
        return "context"
    return "products" if products_in(text) else "request"


_SECRET = re.compile(
    r"(?:載せ|書か|出さ|見せ|言わ|触れ|入れ|話さ|伝え)(?:ない(?:で|こと|よう)|ず|ません)|(?:話|話題|説明|言及|約束|提示|比較)(?:は|を)?[^。、]{0,16}(?:し(?:ない(?:で|こと|よう)|ません)|控え|避け)|"
    r"内緒|内々|ここだけ|他言|口外|社内(?:限|用|向け|のみ|だけ)|行内限|社外秘|取扱(?:い)?注意|オフレコ|極秘|部外秘|伏せ(?:て|る)"
    r"|\bnot for (?:the )?(?:deck|slides?|client)|\bkeep (?:this |it )?(?:quiet|out|between)|\bdon'?t (?:mention|say|show|write)|\bdo not (?:mention|say|show|write)|\boff the record|\binternal(?:ly)? only|\bbetween us\b|\bconfidential\b|\bleave (?:this|that|it) out\b",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^[\s　]*(?P<label>[^:：|。]{1,24}?)\s*[:：]\s*\S")


_RIVAL = re.compile(
    r"(?:他行|他社|競合|ライバル|(?:[A-ZＡ-Ｚぁ-んァ-ヺー一-鿿]{1,8}(?:銀行|信金|信組|信用金庫|証券)))[^。]{0,20}(?:も|が|から)[^。]{0,20}(?:提案|見積|出して|動いて|アプローチ|接触|来て)"
    r"|\b(?:competitor|rival|another bank|other banks?)\b.{0,40}\b(?:propos|pitch|quot|bid|offer|talking)",
    re.IGNORECASE,
)


def withhold_remarks(found: Collected) -> None:
    """The same for a brief of keys and values: what its free notes say to colleagues only (values have their own fields)."""
    kept = []
    for item in found.items:
        free = item.field in ("context", "other", "request")
        if free and (_SECRET.search(item.text) or _RIVAL.search(item.text)):
            found.withheld.append((item.text, item.locator))
        else:
            kept.append(item)
    found.items = kept


def _labelled(line: str) -> str | None:
    """The field that a line gives by its very name (``課題：在庫が多い``); ``receiver`` for whoever a mail is to."""
    label = _LABEL.match(line)
    if label is None:
        return None
    return "receiver" if label["label"].lower() in ("to", "宛先", "宛て") else field_of(label["label"])


def _shared(left: str, right: str) -> float:
    a, b = ({t[i : i + 2] for i in range(len(t) - 1)} for t in (fold(left), fold(right)))
    return len(a & b) / max(1, min(len(a), len(b)))


def _place(found: Collected, item: Item, role: str) -> None:
    if role == item.field or (role == "terms" and item.field in ("products", "cost")):
        found.items.append(item)
    elif role == "internal":
        found.withheld.append((item.text, item.locator))
    elif role == "client":
        _client(found, item)
    elif role == "greeting" and (writer := author_in(item.text)):
        found.add("author", writer, item.locator)
    elif role == "terms":
        _terms(found, item)
    elif role == "facts":
        _facts(found, item)
    elif role == "audience":
        who = audience_in(item.text)
        found.add("audience" if who else "context", who or item.text, item.locator)
    else:
        for text in _worded(role, item.text):
            found.add(role, text, item.locator)


def _worded(role: str, text: str) -> Iterable[str]:
    """A sentence as an item of a list: a need without hearsay, a plan from its first date on."""
    if role == "needs":
        return needs_in(text)
    if role == "risks" and (caveat := caveat_in(text)):
        return [caveat]
    if role == "schedule":
        said = [one for one in sentences(text) if not _APPOINTMENT.match(one)] or [text]
        return [part for one in said for part in pieces(role, as_step(one))]
    if role == "products" and (offered := products_in(text)):
        return [named(role, name) for name in offered]
    if role in LISTS:
        return [named(role, part) for part in pieces(role, text)]
    return [text]


def _client(found: Collected, item: Item) -> None:
    """Who the client is: the name once, and all that is said with it as background."""
    text = _DAY_FIRST.sub("", item.text)
    name = "" if found.of("client") else _POINTER.sub("", client_in(text)) or name_in(text)
    if name:
        found.add("client", name, item.locator)
    if not name or len(fold(item.text)) > len(fold(name)) + 4:
        found.add("context", item.text, item.locator)


_POINTER = re.compile(
    r"^(?:\[[^\]]*\]\s*|[-*・•■◆●\d.)\s]+)?(?:(?:お?相手|お客(?:さん|様|さま)|先方|客先|訪問先|取引先|例の|明日の|今度の|対象)(?:は|の|が|：|:|＝|=)?\s*"
    r"|(?:the )?(?:client|customer|prospect|account|company)\s*(?:is|:|=)\s*|(?:he|she) runs )",
    re.IGNORECASE,
)
_DAY_FIRST = re.compile(r"^(?:20\d\d[/.年-])?\d{1,2}[/.月]\d{1,2}日?\s*(?:[（(][月火水木金土日][)）])?[\s　]+")
_QUOTED = re.compile(r"[「『“\"](?P<name>[^」』”\"]{2,24})[」』”\"]")
_NAME = re.compile(
    r"^(?P<name>[^、。，,（(\s　:：]{2,24}?)(?:さん|様|さま|殿|って(?:いう)?|という|ね|の件|です|だ)?(?=[、。，,（(\s　:：]|$)"
)
_NAME_EN = re.compile(r"^(?P<name>[A-Z][\w&'’.-]*(?:\s(?:[A-Z&][\w&'’.-]*|of|and|the))*)")


# 先方の状況ですが、…: what is told of the client, not what it is called.
_NO_NAME = re.compile(r"^[\d/.:年月日時分\s]+$|です|ます|状況|現状|要望|希望|課題|悩み|事情|意向|方針|予定|背景|経緯|関係|窓口|担当者|(?:社長|部長|専務|会長)$|^(?:お|ご|御)")


def name_in(text: str) -> str:
    """What a line about the client calls it, where it has no legal form: 行田の足袋屋さん、…, Meridian Care Homes, 14 …"""
    said = _POINTER.sub("", _DAY_FIRST.sub("", text.strip()))
    quoted = _QUOTED.search(said[:40])
    if quoted:
        return quoted["name"]
    if re.match(r"(?:[Tt]hey|[Ww]e|[Ii]t|[Tt]he|[Aa]n?)\b", said):
        return ""
    found = (_NAME_EN if said[:8].isascii() else _NAME).match(said)
    name = found["name"].strip(" ,.") if found else ""
    return "" if _NO_NAME.search(name) else name


def _terms(found: Collected, item: Item) -> None:
    """Behind the product they are about; on their own where none was named yet."""
    for index in range(len(found.items) - 1, -1, -1):
        product = found.items[index]
        if product.field == "products":
            joiner = "、" if "：" in product.text else "："
            found.items[index] = Item("products", product.text + joiner + item.text.rstrip("。"), product.locator)
            return
    found.add("products", named("products", item.text), item.locator)


def _facts(found: Collected, item: Item) -> None:
    """Figures of the client are kept as figures, and their sentence as background."""
    found.add("context", item.text, item.locator)
    if not any(figure.unit for figure in quantities(item.text)):
        return
    numbers, empty = read_numbers(item.text, item.locator)
    found.numbers.extend(numbers)
    found.empty_numbers.extend(empty)
    found.add("facts", item.text, item.locator)
