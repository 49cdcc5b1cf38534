"""Prompt injection and jailbreaks: signs in each sentence, added up over neighbouring sentences, weighed by origin."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.guardrails.injection import english, japanese
from gateway.guardrails.injection.decode import decoded
from gateway.guardrails.injection.signs import FLAGS
from gateway.guardrails.literals import Prefilter
from gateway.guardrails.types import Source
from gateway.guardrails.view import Hit, View

_END = r"(?:[。！？]|[!?](?![A-Za-z0-9=&%_/{#\[(])|(?<=[A-Za-z0-9\"')\]])\.(?=\s|\Z))"
_SENTENCE = re.compile(rf"(?:(?!{_END})[^\n])+(?:{_END}+[」』）)\"']?|\n+|\Z)|{_END}+|\n+")
_SIGNS = (*japanese.SIGNS, *english.SIGNS, *english.DELIMITERS, *english.OTHER_LANGUAGES)
_PREFILTER = Prefilter([one.pattern for one in _SIGNS], FLAGS)
_FLOOR = 0.3  # weaker evidence is not reported
_WINDOW = 3  # sentences that speak together
# A sentence about attacks, not one: quoted and called an example, an attack, something to detect.
_QUOTED = re.compile(r"[「『\"“][^」』\"”]{4,120}[」』\"”]")
_MENTION = re.compile(
    r"(?:という|といった|のような|などの|などと)(?:攻撃|手口|文言|入力|表現|例|フレーズ|指示文|メール|要求|内容|発言|コメント|記述|文)|(?:対策|防止|検知|検出|研修|教育|注意喚起|啓発|訓練)(?:を|の|に|で|と|は|が|として)|インジェクション|"
    r"\b(?:attacks?|attackers?|injection|detect(?:ion|or|s)?|phrases? (?:such|like)|example of|defen[cs]e|training (?:material|slides))\b",
    re.IGNORECASE,
)


@dataclass
class _Sentence:
    start: int
    end: int
    text: str
    signs: dict[str, float] = field(default_factory=dict)


def _sentences(text: str) -> list[_Sentence]:
    return [_Sentence(*m.span(), m[0]) for m in _SENTENCE.finditer(text) if m[0].strip()]


def _evidence(sentence: _Sentence, signs: set[int], source: Source) -> None:
    """Fill in the signs of one sentence; what is only quoted as an example counts little."""
    seen = [one for one in (_SIGNS[index] for index in sorted(signs)) if one.seen(sentence.text)]
    if not seen:
        return
    mentioned = _MENTION.search(sentence.text) is not None
    bare = _QUOTED.sub("「」", sentence.text) if mentioned else sentence.text
    for one in seen:
        only_quoted = mentioned and not one.seen(bare)
        worth = one.worth(source) * (0.25 if only_quoted else 1.0)
        sentence.signs[one.rule] = max(worth, sentence.signs.get(one.rule, 0.0))


def _together(sentences: list[_Sentence]) -> tuple[float, str]:
    """Chance that at least one sign means it, each rule counted once; and the strongest rule."""
    best: dict[str, float] = {}
    for sentence in sentences:
        for rule, worth in sentence.signs.items():
            best[rule] = max(worth, best.get(rule, 0.0))
    doubt = 1.0
    for worth in best.values():
        doubt *= 1 - worth
    return 1 - doubt, max(best, key=lambda rule: best[rule], default="")


def _findings(text: str, source: Source) -> Iterator[Hit]:
    places = _PREFILTER.places(text)
    if not places and not _PREFILTER.always:
        return
    sentences = _sentences(text)
    begins = [sentence.start for sentence in sentences]
    possible: dict[int, set[int]] = {}
    for offset, signs in places:
        possible.setdefault(bisect_right(begins, offset) - 1, set()).update(signs)
    for index, candidates in possible.items():
        if index >= 0:
            _evidence(sentences[index], candidates, source)
    index = 0
    while index < len(sentences):
        window = [s for s in sentences[index : index + _WINDOW] if s.signs]
        if not sentences[index].signs or not window:
            index += 1
            continue
        score, rule = _together(window)
        if score >= _FLOOR:
            yield Hit(window[0].start, window[-1].end, "INJECTION", rule, round(min(score, 0.99), 2))
        index = sentences.index(window[-1]) + 1


def detect(view: View) -> Iterator[Hit]:
    """Attacks in the text as it stands, and in what it hides."""
    hits = list(_findings(view.text, view.source))
    for hidden, start, end in decoded(view.text, view.shadow.original):
        if not hidden:
            continue
        for hit in _findings(View.of(hidden).text, view.source):
            confidence = min(0.99, hit.confidence + 0.08)  # hiding it is a sign of its own
            hits.append(Hit(start, end, "INJECTION", f"{hit.rule}.hidden", round(confidence, 2)))
    yield from _merged(hits)


def _merged(hits: list[Hit]) -> list[Hit]:
    """Overlapping findings as one, with the surest rule."""
    merged: list[Hit] = []
    for hit in sorted(hits):
        if merged and hit.start < merged[-1].end:
            best = max(merged[-1], hit, key=lambda h: h.confidence)
            merged[-1] = Hit(merged[-1].start, max(merged[-1].end, hit.end), "INJECTION", best.rule, best.confidence)
        else:
            merged.append(hit)
    return merged
