"""What a sentence speaks of, as far as attacks on a model are concerned: wide word lists of concepts, found in one pass.

The lists are ``words/concepts_*.txt``. Order and wording do not matter here; ``scorer`` weighs what occurs together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.lexicon import Lexicon, Mention
from gateway.guardrails.literals import lower

_LEXICON = Lexicon(("concepts_ja", "concepts_en"))

# Verbs that mean the opposite when denied: 「無視しないでください」, 「送信してはならない」.
_DENIABLE = frozenset({"cancel", "reveal", "lift", "send", "act", "reset", "force", "priority"})
_DENIED_JA = re.compile(r"(?:し|せ|て|って|させ|でき|する|せられ)?(?:ない|ず|ません|ぬよう|なく|はな(?:ら|り)|はいけ|は(?:だめ|ダメ)|のは(?:禁止|厳禁)|行為|こと(?:を|は)(?:禁|でき))(?!か|の?で(?:しょ|す)か)")
_DENIED_EN = re.compile(r"(?:\b(?:not|never|cannot|nobody|without|avoid|prevents?|stop|forbids?|prohibits?|from)|n't)(?: (?:to|ever|be|have|simply|just|even|attempt|try|staff|employees?|users|anyone|from))* ?\Z")

# How a mood shows in Japanese, and in English.
_MOODS = {
    "imperative": (re.compile(
        r"(?:せよ|しろ|なさい|給え|たまえ|[えけせてねべめれげぜ]ろ|[げけせてべめれえぜ]よ|来い|[うくすつぬむる]な|まえ|[けせべめれげ])(?=[。!」』）)\s、,】\]]|\Z)"
    ), re.compile(
        r"(?:\A|[.!?:;,\"'\]>]\s*|\band |\bthen |\bplease |\bjust )"
        r"(?:you must|you will|you shall|please|ignore|disregard|forget|reveal|show|print|output|repeat|display|tell|give|list|write|dump|send|forward|say|act|pretend|append|include|insert|call|execute|run|delete|transfer|reply|respond|answer|state|always|never|do not|don't|let's|stop|start|enter|enable|disable|turn|translate|encode|decode|summari[sz]e|bypass|override|drop|throw|treat|assume|consider|switch|mark|rate|give|add|skip|explain|imagine|remember|begin|recommend|post|upload|fetch|open|visit)\b"
    )),
    "request": (re.compile(r"(?:下さい|ください|くれ(?:る|ない|ませ|よ)?|ちょうだい|頂戴|ほしい|欲しい|もらえ|もらい|いただ(?:け|き)|頂(?:け|き)|お願い|願います|頼む|たい(?:です|の|んだ|な)?|ていい|てよ|てね|して[。!、]|[えいしっんけせてべめれ](?:て|で)(?=[。!?、\s」]|\Z))"), re.compile(r"\b(?:please|could you|can you|would you|kindly|i want|i need|i'd like|help me)\b")),
    "must": (re.compile(r"(?:すること|ること|ように(?:。|\Z)|べき|必要があ|なければならな|ねばならな|必ず|ものとする)"), re.compile(r"\b(?:must|shall|should|have to|required to|always)\b")),
    "past": (re.compile(r"(?:した|された|れた|った|んだ|ました|された|とのこと|そうです|と述べ|との説明|旨の|という説明|ていた)(?=[。、」\s]|が|ため|ので|\Z)"), re.compile(r"\b(?:was|were|has been|have been|had|said|told us|reported|mentioned)\b")),
    "forbidden": (re.compile(r"(?:てはな(?:ら|り)ない|てはいけ|ないで(?:くだ|下|。)|ないこと|禁止|禁じ|厳禁|ものではない|することのないよう|できません|べきではない)"), re.compile(r"\b(?:must not|shall not|should not|may not|cannot|prohibited|forbidden|not allowed|never|do not|don't)\b")),
    "asked": (re.compile(r"(?:か[?。]|か\Z|でしょうか|ますか|ですか)"), re.compile(r"\?")),
    "person": (re.compile(r"(?:[^\x00-\x7f]|\A)(?:さん|様|氏|部長|課長|社長|先生|係長|主任)(?:が|は|の|に|から|へ|より)"), re.compile(r"\b(?:mr|ms|mrs|dr)\.? [a-z]|\b(?:he|she|we|our|they|their|my (?:boss|team|manager|colleague|doctor|teacher|previous))\b")),
    "quoted": (re.compile(r"[「『“‘]"), re.compile('"')),
}  # fmt: skip


MOODS = frozenset(_MOODS)
_LATIN = re.compile(r"[a-z]{2}|[?\"]")  # without any of these, no English mood shows


def mentions(text: str) -> list[tuple[int, int, str]]:
    """(start, end, concept) of every word of the lists in ``text``, in order; denied verbs count as ``denied``."""
    lowered = lower(text)
    return [(m.start, m.end, "denied" if m.concept in _DENIABLE and _denied(lowered, m) else m.concept) for m in _LEXICON.mentions(text)]


def _denied(text: str, mention: Mention) -> bool:
    if mention.english:
        return _DENIED_EN.search(text, max(0, mention.start - 28), mention.start) is not None
    return _DENIED_JA.match(text, mention.end) is not None


def moods(sentence: str) -> Iterator[str]:
    """How the sentence is spoken: as an order, a request, a report, a question …"""
    lowered = lower(sentence)
    latin = _LATIN.search(lowered) is not None
    if lowered.isascii():
        return (mood for mood, (_, english) in _MOODS.items() if english.search(lowered))
    return (
        mood
        for mood, (japanese, english) in _MOODS.items()
        if japanese.search(lowered) or (latin and english.search(lowered))
    )
