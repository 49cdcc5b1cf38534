"""Text in one form: widths, dashes, spaces, fillers.

:func:`half_width` keeps every offset, so that spans found in its result are spans of the given text.
:func:`fold` is for comparing only: it drops what does not distinguish two spellings of the same words.
"""

from __future__ import annotations

import re
import unicodedata

_HALF = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord("　"): " ", ord("，"): ",", ord("．"): ".", ord("￥"): "¥", ord("￡"): "£",
    ord("〜"): "~", ord("～"): "~", ord("−"): "-", ord("‐"): "-", ord("‑"): "-", ord("–"): "-", ord("—"): "-",
}  # fmt: skip
_PUNCTUATION = re.compile(r"[\s、。，．,.・「」『』（）()\[\]【】〈〉《》!?！？:：;；\"'“”‘’…‥~〜～\-‐–—_/／]+")
_BETWEEN_CJK = re.compile(r"(?<=[぀-ヿ一-鿿々〆ー])[ \u3000\t]+(?=[぀-ヿ一-鿿々〆ー])")

# CSJ's most frequent fillers. Words that are also content (その, あの, まあ, もう, こう, で) go only when a comma or
# pause isolates them; はい and ええ can be answers and are never touched.
_ALWAYS = (
    r"(?:え[ーぇえ]*っ?と[ーぉお]*(?:ですね)?|え[ーぇ]+|あ[ーぁ]+|う[ーぅ]+ん?|んー[んー]*"
    r"|あの[ーぉ]+|その[ーぉ]+|ま[ーぁ]+|なんか)"
)
_ISOLATED = r"(?:え|あ|あの|その|この|まあ|ま|もう|こう|なんか|なんていうか|なんというか|えと|で)"
_START = r"(^|[、。，,\s！？!?])"
_FILLER = re.compile(rf"{_START}(?:{_ALWAYS}(?:です)?ね?[、，,\s]*|{_ISOLATED}(?:です)?ね?[、，,]\s*)")
_INNER = re.compile(r"(?:えーっと|えーと|えっと|えーっとですね|あのー+|そのー+|えー+|うーん|んー+)[、，,]?")
_ENGLISH_FILLER = re.compile(r"(?:^|(?<=[\s,]))(?:um+|uh+|er+m?|you know|I mean)\b[,.]?\s*", re.IGNORECASE)


def half_width(text: str) -> str:
    """Full-width ASCII, dashes and spaces as half-width; one character in, one out, so offsets stay."""
    return text.translate(_HALF)


def tidy(text: str) -> str:
    """NFKC without spaces between Japanese characters (speech recognition puts them there); trimmed."""
    return _BETWEEN_CJK.sub("", re.sub(r"[ \t\u3000]+", " ", unicodedata.normalize("NFKC", text))).strip()


def fold(text: str) -> str:
    """For comparing: NFKC, lower case, without spaces and punctuation. ``fold("Ａ案 で。") == "a案で"``."""
    return unicodedata.normalize("NFKC", _PUNCTUATION.sub("", unicodedata.normalize("NFKC", text).casefold()))


def without_fillers(text: str) -> str:
    """ケバ取り: えーと, あのー, um … removed. Ambiguous words go only where a comma isolates them."""
    previous = None
    while previous != text:
        previous = text
        text = _FILLER.sub(lambda m: m[1], text)
        text = _INNER.sub("", text)
    text = _ENGLISH_FILLER.sub("", text)
    return re.sub(r"^[、，,\s]+|(?<=[、，])[、，,\s]+|(?<=,)\s*,+|(?<=\s)\s+", "", text).strip()


def to_katakana(text: str) -> str:
    """Hiragana as katakana; everything else as it is."""
    return "".join(chr(ord(c) + 0x60) if "ぁ" <= c <= "ゖ" else c for c in text)


def is_japanese(text: str) -> bool:
    """Whether the text has at least one kana or kanji."""
    return re.search(r"[぀-ヿ一-鿿]", text) is not None
