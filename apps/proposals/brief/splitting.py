"""Cutting text into sentences and enumerations into items, in Japanese and English."""

from __future__ import annotations

import re
from collections.abc import Callable

from apps.common.japanese.normalise import half_width, is_japanese

_SENTENCE = re.compile(r"(?<=[。！？!?])\s*|(?<=[a-z0-9)%]\.)\s+(?=[A-Z\"'])|\n+")
_NOUN_END = re.compile(r"[一-鿿々ァ-ヺーA-Za-z0-9%％）)]$|(?:たい|こと|もの|ため|さ|い)$")
BULLET = re.compile(
    r"^(?P<indent>[\s　]*)(?:[-*+•‣–●○◦]\s+|[・●○▪◾►▶➤✓✔→]\s*|[-*]\s*(?=[^\s\-*])|"
    r"\d{1,2}[.)．）]\s*(?!\d)|[①-⑳]\s*|[(（]\d{1,2}[)）]\s*|[ア-ンa-e][)）]\s*)(?P<text>.*)$"
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, without empty ones; their closing marks stay. ``Dr. Imai`` is not cut."""
    found: list[str] = []
    for part in (part.strip() for part in _SENTENCE.split(text) if part and part.strip()):
        if found and _ABBREVIATED.search(found[-1]):
            found[-1] += " " + part
        else:
            found.append(part)
    return found


_ABBREVIATED = re.compile(r"(?:^|[\s(])(?:Mr|Mrs|Ms|Dr|Prof|St|Messrs|Jr|Sr|No|approx|ca|vs|e\.g|i\.e|cf|incl|Attn)\.$")


def split_list(text: str) -> list[str]:
    """An enumeration as items: by line or semicolon; by comma only where every part reads as an item of its own."""
    parts = [line for line in re.split(r"[\n;；]+", text) if line.strip()]
    items = [_strip(p) for part in parts for p in _by_comma(_strip(part))]
    return [item for item in items if item]


def split_outside_brackets(text: str, mark: str) -> list[str]:
    """A text cut at ``mark`` (a pattern), but not inside brackets: A（x、y）とB（z） → two."""
    depth, cuts = 0, [0]
    inside = []
    for at, char in enumerate(text):
        depth += (char in "（([「『") - (char in "）)]」』")
        if depth > 0:
            inside.append(at)
    hidden = set(inside)
    parts = []
    for found in re.finditer(mark, text):
        if found.start() not in hidden and found.start() >= cuts[-1]:
            parts.append(text[cuts[-1] : found.start()])
            cuts.append(found.end())
    return [*parts, text[cuts[-1] :]]


_WHEN = re.compile(
    r"\d\s?[~〜～-]?\s?(?:月|年|週|日|/\d|Q)|第?[1-4一二三四]四半期|[来今翌]期|[来今翌]年|年内|年明け|年度|上期|下期|上旬|中旬|下旬|\b(?:Q[1-4]|20\d\d|January|February|March|April|May|June|July|August|September|October|November|December)\b"
)
_PIECE = re.compile(r"\s*(?:[、，／]|,\s|→|⇒|->)\s*")


def pieces(field: str, text: str, else_split: Callable[[str], list[str]] | None = None) -> list[str]:
    """Several dates or amounts written in one line as items of their own: 1月 見積、3月 決議 → two."""
    text = text.strip()
    parts = _PIECE.split(text) if field in ("schedule", "cost") else [text]
    has = _WHEN.search if field == "schedule" else re.compile(r"\d[\d,.]*\s?(?:[億万千百]|円|%|[A-Za-z])").search
    if len(parts) > 1 and all(part and has(half_width(part)) for part in parts) and not _OPEN.search(text):
        return [_strip(part) for part in parts]
    return else_split(text) if else_split else [text]


_OPEN = re.compile(r"[(（][^)）]*(?:[、，／]|,\s|→)")
_DASH = re.compile(r"^(?P<name>[^:：]{2,40}?)\s*(?:…+|‥+|——+|――+|\s[-–—]\s|⇒|＝)\s*(?=\S)")


def named(field: str, text: str) -> str:
    """An item as it is kept: lists without a full stop; ``名称…説明`` and ``name – text`` of a product with a colon."""
    if field == "products":
        text = _DASH.sub(lambda m: m["name"] + ("：" if is_japanese(text) else ": "), text, count=1)
        text = re.sub(r"の[ご御](?=融資|紹介|提案|利用)", "の", text)
    return text.rstrip("。") if field in _UNSTOPPED else text


_UNSTOPPED = frozenset(("needs", "products", "schedule", "cost", "risks", "comparison", "effects"))
_TELLING = re.compile(r"予算|手数料|見積|投資額|料金|budget|pric|fee|investment", re.IGNORECASE)


def with_label(field: str, label: str, text: str) -> str:
    """A cost keeps the word it was given under when that word says more than “cost” (予算, 手数料, budget)."""
    word = re.sub(r"^[\s　#>*■◆●【\[]+|[】\]\s　*]+$", "", label)
    if field != "cost" or not _TELLING.search(word) or re.search(r"[:：]", text) or _TELLING.search(text):
        return text
    word = "予算" if "予算" in word else word
    return f"{word}: {text}" if word.isascii() else f"{word}：{text}"


def _strip(text: str) -> str:
    bullet = BULLET.match(text)
    return (bullet["text"] if bullet else text).strip(" 　。")


def _by_comma(text: str) -> list[str]:
    if "。" in text:
        return sentences(text)
    pieces = re.split(r"[、，]|／|(?<=[^0-9])/(?=[^0-9])", text) if is_japanese(text) else re.split(r",\s|\s/\s", text)
    pieces = [p.strip() for p in pieces]
    if len(pieces) < 2 or not all(pieces):
        return [text]
    if is_japanese(text):
        fits = all(_NOUN_END.search(p) and len(p) >= 2 for p in pieces) and not re.search(r"[(（][^)）]*[、，]", text)
    else:
        pieces = [re.sub(r"^and\s", "", p) for p in pieces]
        fits = all(len(p.split()) <= 9 for p in pieces) and sum(len(p.split()) > 1 for p in pieces) >= len(pieces) - 1
    return pieces if fits else [text]
