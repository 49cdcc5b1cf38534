"""Postal codes and electronic mail addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.detectors.shapes import Label, other_label
from gateway.guardrails.view import Hit, View

_POSTAL = re.compile(r"(?<![\dA-Za-z])(?<!\d[-.])\d{3}[ ]?-?[ \n]?\d{4}(?!\d)(?!-\d)(?!-?[A-Za-z])")
_MARK = re.compile(r"〒[ :]?\Z|T\Z")
_POSTAL_LABEL = Label(r"〒|郵便番号|郵便No|郵便|ゆうびん番号|postal\s?code|postcode|zip(?:\s?code)?|postal_code", gap=5)
_PLACE_AFTER = re.compile(
    r"[\s,:)\]」\"']{0,3}(?:東京都|北海道|(?:京都|大阪)府|[一-龠]{2,3}県|[一-龠ヶケぁ-んァ-ヶ]{1,7}[市区郡](?![場民役営]))"
)

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])(?!\.)[A-Za-z0-9._%+'-]{1,64}(?<!\.)\s?@\s?"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\s?\.\s?|。(?=[a-z]))){1,5}[A-Za-z]{2,24}(?![A-Za-z0-9-])"
)
_AT = r"(?:\s?[\[({<]\s?(?:at|@|アット(?:マーク)?|あっと(?:まーく)?)\s?[\])}>]\s?|\s?(?:アットマーク|アット|あっとまーく)\s?|\s(?:at|AT)\s|_at_|☆|★|◎|●)"
_DOT = r"(?:\.|\s?[\[({<]\s?(?:dot|\.|ドット|どっと|点)\s?[\])}>]\s?|\s?(?:ドット|どっと)\s?|\s(?:dot|DOT)\s)"
_HIDDEN = re.compile(
    rf"(?<![A-Za-z0-9._%+-])(?:[A-Za-z0-9_%+-]{{1,30}}\s(?:dot|DOT)\s)?[A-Za-z0-9._%+-]{{1,64}}{_AT}[A-Za-z0-9-]{{1,63}}(?:{_DOT}[A-Za-z0-9-]{{1,63}}){{0,3}}{_DOT}[A-Za-z]{{2,12}}(?![A-Za-z0-9])",
)
_HIDDEN_HINT = re.compile(r"\b(?:at|AT)\b|_at_|アット|あっと|[☆★◎●]|[\[({<]\s?@")


def postal_code(view: View) -> Iterator[Hit]:
    """Seven digits after 〒 or a label, or written 123-4567 right before the name of a place."""
    if not view.has_digits:
        return
    for match in view.numbers(_POSTAL):
        start, end = match.span()
        left = view.left(start)
        if _POSTAL_LABEL.before(view, start) or _MARK.search(left):
            yield Hit(start, end, "POSTAL_CODE", "postal_code.label", 0.95)
        elif "-" in match[0] and _PLACE_AFTER.match(view.right(end, 14)) and not other_label(view, start):
            yield Hit(start, end, "POSTAL_CODE", "postal_code.place", 0.8)


def email(view: View) -> Iterator[Hit]:
    """Addresses as typed, full width, or hidden behind [at] and [dot]."""
    text = view.text
    if "@" in text:
        for match in _EMAIL.finditer(text):
            if not _is_remote(text, match):
                yield Hit(*match.span(), "EMAIL", "email.plain", 0.96)
    if _HIDDEN_HINT.search(text):
        for match in _HIDDEN.finditer(text):
            if "@" in match[0] or _looks_hidden(match[0]):
                yield Hit(*match.span(), "EMAIL", "email.hidden", 0.85)


def _is_remote(text: str, match: re.Match[str]) -> bool:
    """``git@host:path`` names a repository, not a person."""
    return match[0].startswith("git@") and text[match.end() : match.end() + 1] == ":"


def _looks_hidden(found: str) -> bool:
    """``meet at example dot com`` in prose needs both marks; ``taro[at]example.com`` shows itself by its brackets."""
    if re.search(r"[\[({<☆★◎●]|アット|あっと|_at_", found):
        return True
    return re.search(r"\s(?:dot|DOT)\s|ドット", found) is not None
