"""Mending a model's sentence where that cannot change its meaning."""

from __future__ import annotations

import re

_FIRST = re.compile(r"^.{8,}?(?:。|(?<=[a-z)}])\.(?=\s|$))")
_EMPHASIS = re.compile(
    r"(?:大幅|劇的|飛躍的|圧倒的|効果的|効率的|確実|完全|最大限|迅速|スムーズ)に|\b(?:significantly|dramatically|effectively|greatly|seamlessly|fully|efficiently)\s"
)
_PLAIN_ENDINGS = (
    ("可能性がある", "可能性があります"),
    ("おそれがある", "おそれがあります"),
    ("がある", "があります"),
    ("である", "です"),
    ("できる", "できます"),
    ("される", "されます"),
    ("れる", "れます"),
    ("になる", "になります"),
    ("となる", "となります"),
    ("ている", "ています"),
    ("する", "します"),
    ("される", "されます"),
    ("高まる", "高まります"),
    ("かかる", "かかります"),
    ("減る", "減ります"),
    ("増える", "増えます"),
    ("ない", "ありません"),
)


# Marks that a weak model puts in front of its sentence: quotes, a slot that belongs to nothing.
_LEADING = re.compile(r"^(?:[>＞・\-\s]|\{\{[EC]\d+\}\}(?!\s?(?:の|は|が|に|を|で|と|も|へ|から|まで|[a-z])))+")


def tidy(raw: str, language: str) -> str:
    """What code may mend without changing the meaning: first sentence alone, no emphasis, polite ending, no stop."""
    text = re.sub(r"\s+", " ", raw).strip().strip('「」"“”')
    first = _FIRST.match(text)
    text = _LEADING.sub("", text)
    text = _EMPHASIS.sub("", first[0] if first else text).rstrip("。. ")
    if language == "ja":
        ending = next(
            (
                (a, b)
                for a, b in _PLAIN_ENDINGS
                if text.endswith(a) and not text.endswith(("ではない", "くない", "少ない"))
            ),
            None,
        )
        text = text.removesuffix(ending[0]) + ending[1] if ending else text
    return re.sub(r"^(?:提案商品|ご提案商品|当社の提案|提案)の?(?=「)", "", text)
