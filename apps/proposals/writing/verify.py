"""Whether a sentence of the model may stand on a slide: slots, digits, names, claims, direction, language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from apps.common.japanese.normalise import fold, half_width, is_japanese
from apps.proposals.evidence.figures import find_figures
from apps.proposals.evidence.labels import CHANGES
from apps.proposals.model import EvidenceNumber
from apps.proposals.story.material import grams
from apps.proposals.writing.support import unsupported
from apps.proposals.writing.tidy import tidy

SLOT = re.compile(r"\{\{\s*([EC]\d+)\s*\}\}")
_ANY_SLOT = re.compile(r"\{+[^{}]*\}+")
_CLAIMS = re.compile(
    r"必ず|確実|絶対|完全に|保証|元本|最大限|最大|最高|最適な唯一|業界|日本一|世界|初の|唯一|トップ|圧倒|飛躍|劇的|大幅|倍増|半減|数倍|万全|安心してお任せ|実績|豊富|専門家|多数"
    r"|受賞|特許|無料|即日|すぐに|ゼロ|損はし|リスクなし|節税|\b(?:guarante\w*|certain\w*|always|never|best|leading|unique|first|world|award|proven|dramatic\w*"
    r"|significant\w*|double|halve|eliminat\w*|risk-free|no risk|"
    r"expert\w*|free of charge|seamless\w*|cutting-edge|robust)\b",
    re.IGNORECASE,
)
_OPPOSITES = (
    ("増加", "減少"),
    ("上昇", "低下"),
    ("拡大", "縮小"),
    ("円高", "円安"),
    ("黒字", "赤字"),
    ("値上げ", "値下げ"),
    ("増収", "減収"),
    ("増益", "減益"),
    ("輸出", "輸入"),
    ("借入", "預金"),
    ("買収", "売却"),
    ("increase", "decrease"),
    ("export", "import"),
    ("rise", "fall"),
    ("strong yen", "weak yen"),
)
_ODD = re.compile(r"[{}\[\]<>_#*`|\\]|DOCUMENT|材料|記号|引用資料|課題\d|ください$")
_POLITE = re.compile(r"(?:ます|です|ません|ました|でしょう|ましょう|できます)[。]?$")
_NOUN_END = re.compile(r"[一-鿿ァ-ヺー]$")


@dataclass(frozen=True)
class Link:
    """A topic (a need, a measure) and the product that answers it: a sentence may not credit another product with it."""

    topic: str
    product: str


@dataclass(frozen=True)
class Verdict:
    """``text`` with slots filled when it may be used, else ``reason`` in the deck's language."""

    text: str = ""
    reason: str = ""
    evidence: tuple[str, ...] = ()


def verify(
    raw: str,
    known: str,
    numbers: dict[str, EvidenceNumber],
    language: str,
    *,
    limit: int,
    others: tuple[str, ...] = (),
    links: tuple[Link, ...] = (),
) -> Verdict:
    """Check one sentence. ``known``: all text of the material; ``numbers``: those whose slots were offered."""
    text = tidy(raw, language)
    ids = SLOT.findall(text)
    reason = (
        _shape(text, language, limit, others)
        or _slots(text, ids, numbers, language)
        or _digits(text, known, language)
        or _claims(text, known, language)
        or unsupported(SLOT.sub(" ", text), known, language)
        or _misattributed(text, links, language)
    )
    if reason:
        return Verdict(reason=reason)
    return Verdict(SLOT.sub(lambda m: numbers[m[1]].raw, text), evidence=tuple(dict.fromkeys(ids)))


def _say(language: str, ja: str, en: str) -> str:
    return ja if language == "ja" else en


def _shape(text: str, language: str, limit: int, others: tuple[str, ...]) -> str:
    shown = _ANY_SLOT.sub("", text)
    if len(shown) < 8 or len(shown) > (limit if language == "ja" else 2.2 * limit):
        return _say(language, "長さが合いません", "the length does not fit")
    if (language == "ja") != is_japanese(shown) or (language == "ja" and not _only_japanese(shown)):
        return _say(language, "日本語だけで書いてください", "write English only")
    if _ODD.search(shown) or shown.count("。") > 1:
        return _say(language, "一文の本文だけを書いてください", "write one plain sentence only")
    if language == "ja" and not (_POLITE.search(shown) or (_NOUN_END.search(shown) and limit <= 80)):
        return "です・ます調の一文にしてください"
    if any(_repeats(fold(shown), fold(o)) for o in others):
        return _say(language, "他の文と同じです", "it repeats another sentence")
    return ""


def _repeats(text: str, other: str) -> bool:
    """Whether a sentence says little more than another one on the slide."""
    return text in other or SequenceMatcher(None, text, other, autojunk=False).ratio() > 0.75


def _only_japanese(text: str) -> bool:
    """No simplified Chinese or other scripts: everything must exist in the Japanese code page."""
    try:
        text.encode("cp932")
    except UnicodeEncodeError:
        return False
    return True


_CHANGE = "|".join(sorted((c for c in CHANGES if not c.isascii()), key=len, reverse=True))


def _slots(text: str, ids: list[str], numbers: dict[str, EvidenceNumber], language: str) -> str:
    if any(i not in numbers for i in ids) or _ANY_SLOT.search(SLOT.sub("", text)):
        return _say(language, "材料にない記号があります", "an unknown mark is used")
    for match in SLOT.finditer(text):
        number = numbers[match[1]]
        around = grams(text)
        if not grams(number.label) & around:
            return _say(language, "数値の記号が何の数値か分かりません", "it is unclear what the figure is")
        if not number.formula and re.match(
            rf"\s?(?:の|を|も|ほど)?(?:{_CHANGE})|\s(?:less|more|lower|higher|saving|reduction)", text[match.end() :]
        ):
            return _say(language, "水準の数値を増減として使っています", "a level is used as a change")
    return ""


def _digits(text: str, known: str, language: str) -> str:
    flat = half_width(known).casefold()
    for figure in find_figures(SLOT.sub("＿", text)):
        if figure.kind != "name" or half_width(figure.text).casefold() not in flat:
            return _say(language, f"数字「{figure.text}」を書いています", f"it writes the figure '{figure.text}'")
    return ""


def _claims(text: str, known: str, language: str) -> str:
    claim = _CLAIMS.search(text)
    if claim and claim[0] not in known:
        return _say(language, f"「{claim[0]}」は根拠がありません", f"'{claim[0]}' has no support")
    for one, two in _OPPOSITES:
        for used, other in ((one, two), (two, one)):
            if used in text and used not in known and other in known:
                return _say(language, f"「{used}」は材料と逆です", f"'{used}' contradicts the material")
    return ""


def _misattributed(text: str, links: tuple[Link, ...], language: str) -> str:
    """A sentence that names products may speak only of topics that one of them answers."""
    own = grams(text)
    named = {link.product for link in links if _mentions(own, link.product, 0.99)}
    for link in links:
        if named and link.product not in named and _mentions(own, link.topic, 0.6):
            return _say(language, f"「{link.topic}」は別の商品の課題です", f"'{link.topic}' belongs to another product")
    return ""


def _mentions(own: set[str], words: str, share: float) -> bool:
    wanted = grams(words)
    return bool(wanted) and len(wanted & own) >= share * len(wanted)
