"""Placeholders for masked values: made, recognised again after a model has handled them, and put back. In memory only.

A placeholder is ``[[PERSON_1_k3]]``: ASCII, at most 24 characters, with a nonce of the request. The same value of the
same type gets the same number. A model may change its width, case, inner blanks or Markdown escapes; anything more and
it stays as it is: restoring is exact, never a guess. Look-alikes that the user typed are masked as TEXT and so return.
"""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gateway.guardrails.types import Finding

# Finding type → the word in the placeholder.
WORDS = {
    "POSTAL_CODE": "POSTAL", "MY_NUMBER": "MYNUMBER", "CORPORATE_NUMBER": "CORPNO", "BANK_ACCOUNT": "ACCOUNT",
    "CREDIT_CARD": "CARD", "DRIVER_LICENSE": "LICENSE", "HEALTH_INSURANCE": "INSURANCE", "PENSION_NUMBER": "PENSION",
    "CUSTOMER_ID": "CUSTOMER", "IP_ADDRESS": "IP", "URL_TOKEN": "URL", "INJECTION": "INJECTION",
    "REGULATED_WORDING": "WORDING",
}  # fmt: skip
LONGEST = 48  # characters a placeholder may take after blanks and escapes were added
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"

_OPEN = r"(?:[\[［]{2}|\\[\[［]\\[\[［])"
_CLOSE = r"(?:[\]］]{2}|\\[\]］]\\[\]］])"
_CLOSING = "]］﹈"  # all characters that fold to the last of a placeholder
_SHAPE = re.compile(rf"{_OPEN}(?P<inner>[A-Za-zＡ-Ｚａ-ｚ0-9０-９_＿\\ 　]{{4,40}}?){_CLOSE}")


def _fold(text: str) -> str:
    """Width, case, blanks and Markdown escapes away."""
    return re.sub(r"[\s\\]", "", unicodedata.normalize("NFKC", text)).upper()


@dataclass
class MaskMap:
    """The values masked in one request. ``nonce`` is empty where nothing will be restored (``guard scan``)."""

    nonce: str = ""
    _placeholders: dict[tuple[str, str], str] = field(default_factory=dict)
    _values: dict[str, str] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def for_texts(cls, texts: Iterable[str]) -> MaskMap:
        """A map with a nonce that occurs in none of ``texts``."""
        folded = [_fold(text) for text in texts if any(closing in text for closing in _CLOSING)]
        for size in (2, 2, 2, 3, 3, 4):
            nonce = "".join(secrets.choice(_ALPHABET) for _ in range(size))
            if not any(f"_{nonce.upper()}]" in text for text in folded):
                return cls(nonce)
        raise ValueError("no unused nonce found")  # 31^4 candidates: the input would have to hold them all

    def placeholder(self, type_: str, value: str, *, one_way: bool = False) -> str:
        """The placeholder of a value; ``one_way`` values are never put back."""
        known = self._placeholders.get((type_, value))
        if known:
            return known
        word = WORDS.get(type_, type_)
        number = self._counts[word] = self._counts.get(word, 0) + 1
        made = f"[[{word}_{number}_{self.nonce}]]" if self.nonce else f"[[{word}_{number}]]"
        self._placeholders[type_, value] = made
        if not one_way:
            self._values[_fold(made)] = value
        return made

    def mask(self, text: str, findings: Iterable[Finding], one_way: Callable[[Finding], bool]) -> str:
        """Replace every finding on ``text``; without findings and look-alikes the very same text comes back."""
        spans = [(f.start, f.end, f.type, one_way(f)) for f in findings]
        if self.nonce and ("[" in text or "［" in text):
            spans = _with_lookalikes(text, spans)
        pieces: list[str] = []
        position = 0
        for start, end, type_, final in sorted(spans):
            if start < position:
                continue
            pieces += [text[position:start], self.placeholder(type_, text[start:end], one_way=final)]
            position = end
        return "".join([*pieces, text[position:]]) if pieces else text

    def restore(self, text: str, *, in_json: bool = False) -> str:
        """Put every value back; ``in_json`` escapes it for the inside of a JSON string."""
        if not self._values:
            return text

        def value(match: re.Match[str]) -> str:
            found = self._values.get(f"[[{_fold(match['inner'])}]]")
            if found is None:
                return match[0]
            return json.dumps(found, ensure_ascii=False)[1:-1] if in_json else found

        return _SHAPE.sub(value, text)

    def pending(self, text: str) -> int:
        """Where the longest tail of ``text`` begins that may still become a live placeholder; its length if none."""
        if not self._values:
            return len(text)
        for index in range(max(0, len(text) - LONGEST), len(text)):
            if text[index] in "[［\\" and self._may_become(_fold(text[index:])):
                return index
        return len(text)

    def _may_become(self, tail: str) -> bool:
        return any(live.startswith(tail) for live in self._values)


def _with_lookalikes(text: str, spans: list[tuple[int, int, str, bool]]) -> list[tuple[int, int, str, bool]]:
    """The spans, and those of placeholder look-alikes in the input; where both overlap, one span for both."""
    for match in _SHAPE.finditer(text):
        start, end = match.span()
        touching = [span for span in spans if span[0] < end and start < span[1]]
        if not touching:
            spans = [*spans, (start, end, "TEXT", False)]
            continue
        joined = (min(start, touching[0][0]), max(end, touching[-1][1]), touching[0][2], any(s[3] for s in touching))
        spans = [span for span in spans if span not in touching] + [joined]
    return spans
