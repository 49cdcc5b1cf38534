"""Marks of an attack that no honest text has: chat formats, pictures that carry data away, orders in rarer languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from gateway.guardrails.literals import Prefilter
from gateway.guardrails.types import Source
from gateway.guardrails.view import Hit

_FLAGS = re.IGNORECASE | re.DOTALL


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compiled when first needed: the prefilter rules out most signs for most texts."""
    return re.compile(pattern, _FLAGS)


class Sign(NamedTuple):
    """``weight`` is the chance that it means an attack in a user's message, ``planted`` in a document or tool result
    (by default the same). ``unless`` voids it when it occurs nearby."""

    rule: str
    pattern: str
    weight: float
    planted: float | None = None
    unless: str = ""


_ES = r"(?:ignora(?:r|d|te)?|olvida|desobedece|ignorez|oublie[zr]?|ignoriere(?:n Sie)?|vergiss|missachte|ignora(?:re)?|dimentica|ignore|esque[cç]a|desconsidere|negeer|vergeet)"
# The same order in languages that reach a bank less often.
_OTHER_LANGUAGES = (
    Sign("injection.ja.romaji", r"(?:shiji|sizi|meirei|ru-?ru|ruuru|seiyaku|seigen|yakusoku)[a-z\s]{0,24}(?:mushi|musi|wasure|haki|kaijo)|(?:mushi|musi|wasure)(?: ?shi| ?si)?te[a-z\s]{0,20}(?:shiji|sizi|meirei)", 0.85),
    Sign("injection.ja.romaji", r"(?:shisutemu|sisutemu|system|naibu|kakushi|shoki)\s?(?:puronputo|puromputo|prompt|settei|meirei|shiji)[a-z\s]{0,20}(?:misete|oshiete|osiete|hyouji|hyoji|shutsuryoku|syuturyoku|kaiji|subete|zenbu)", 0.85),
    Sign("injection.xx.override", rf"\b{_ES}\b[^.\n]{{0,40}}\b(?:instruc\w+|anweisung\w*|istruzion\w+|instruç\w+|instructies|consignes|regeln|règles|reglas|regole|regras)\b", 0.82),
    Sign("injection.xx.extract", r"\b(?:muestra|revela|montre|affiche|révèle|zeig\w*|offenbare|mostra(?:mi)?|rivela|mostre|revele)\b[^.\n]{0,40}\b(?:prompt|system ?prompt|instruc\w+|anweisung\w*|istruzion\w+)", 0.7),
    Sign("injection.zh.override", r"(?:忽略|无视|無視|忘记|忘掉|忘記|不要理会|抛弃)[^。\n]{0,12}(?:之前|以上|先前|前面|所有|上述|此前)[^。\n]{0,8}(?:指令|指示|提示|命令|规则|規則|要求|内容)", 0.85),
    Sign("injection.zh.extract", r"(?:显示|輸出|输出|告诉我|透露|打印|泄露|重复)[^。\n]{0,10}(?:系统提示|系統提示|提示词|初始指令|系统指令)", 0.8),
    Sign("injection.ko.override", r"(?:이전|앞선|위의|기존|모든)[^.\n]{0,12}(?:지시|명령|규칙|지침|프롬프트)[^.\n]{0,12}(?:무시|잊|따르지)", 0.85),
    Sign("injection.ko.extract", r"(?:시스템|숨겨진|초기)\s?(?:프롬프트|지시|명령)[^.\n]{0,16}(?:보여|출력|알려|공개)", 0.8),
)  # fmt: skip

# The grammar of chat formats has no business inside a message.
_DELIMITERS = (
    Sign("injection.delimiter", r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id|begin_of_text)\|>|\[/?INST\]|<</?SYS>>|<\|?(?:begin|end)_of_(?:text|turn)\|?>|<(?:start|end)_of_turn>", 0.85, 0.9),
    Sign("injection.delimiter", r"</?(?:system|system_prompt|instructions?|tool_response|tool_result|tool_call|assistant|developer|admin)>", 0.45, 0.6, r"<configuration|xmlns|<project|</?(?:dependency|plugin)"),
    Sign("injection.image", r"!\[[^\]]*\]\(\s*https?://[^)\s]*[?&/=][^)\s]*(?:\{|\$\{|\[|<|%7B|【|\(|《)[^)]*\)", 0.6, 0.85),
    Sign("injection.image", r"!\[[^\]]*\]\(\s*https?://[^)]+\)[^\n]{0,40}(?:含め|表示|出力|挿入|include|render|display|append)", 0.5, 0.75),
    Sign("injection.image", r"<img[^>]+src=[\"']?https?://[^>]+(?:\{|\$|%7B|document\.cookie)", 0.5, 0.8),
)  # fmt: skip


_SIGNS = (*_OTHER_LANGUAGES, *_DELIMITERS)
_PREFILTER = Prefilter([one.pattern for one in _SIGNS], _FLAGS)
_NEARBY = 40  # characters on both sides in which ``unless`` is looked for


def find(text: str, source: Source) -> Iterator[Hit]:
    """Every sign in ``text``."""
    possible = {index for _, found in _PREFILTER.places(text) for index in found} | set(_PREFILTER.always)
    for one in (_SIGNS[index] for index in sorted(possible)):
        for match in _compiled(one.pattern).finditer(text):
            around = text[max(0, match.start() - _NEARBY) : match.end() + _NEARBY]
            if match[0].strip() and not (one.unless and _compiled(one.unless).search(around)):
                weight = one.weight if source == "user" or one.planted is None else one.planted
                yield Hit(*match.span(), "INJECTION", one.rule, weight)
