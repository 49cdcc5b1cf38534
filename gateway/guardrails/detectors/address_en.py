"""Addresses in Latin letters: street addresses, Japanese addresses written the western way, post-office boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.view import Hit, View

_WORD = r"[A-Z][A-Za-z'’.-]*"
_STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Terrace|Square|Sq|Parkway|Pkwy|Highway|Hwy|"
    r"Crescent|Close|Circle|Cir|Row|Gardens|Mews|Quay|Walk|Broadway|Alley|Plaza|Trail|Hill|Strasse|Straße)"
)
_SECOND = r"(?:,?\s(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm|Flat|Level|#)\.?\s?#?[A-Za-z0-9-]{1,6}|,?\s\d{1,3}(?:st|nd|rd|th)\s(?:Floor|Fl)\.?|,?\s#\d{1,3}-\d{1,4})"
_PLACE = r"(?:,\s?[A-Z][a-z'’.-]+(?:\s[A-Z][a-z'’.-]+){0,2}(?![A-Za-z\d]))"
_POSTCODE = r"(?:,?\s(?:Singapore\s)?\d{6}|,?\s(?:[A-Z]{2}\s)?\d{5}(?:-\d{4})?|,?\s[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|,?\s[A-Z]{2,3}\s\d{4}|,?\s[A-Z]\d[A-Z]\s?\d[A-Z]\d|,?\s\d{3}-\d{4})"
_COUNTRY = r"(?:,?\s(?:USA|U\.S\.A\.|UK|United Kingdom|United States|Japan|Australia|Canada|Singapore|Germany|France|Hong Kong|Ireland))"

_WESTERN = re.compile(
    rf"(?<![\w.,/$¥-])(?:(?:Unit|Flat|Suite|Apt\.?|Apartment|Room|Floor|Level|Shop)\s#?[A-Za-z0-9-]{{1,6}},?\s)?\d{{1,6}}[A-Za-z]?(?:-\d{{1,4}})?,?\s(?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.?\s)?"
    rf"(?:(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th))\s){{1,4}}?{_STREET}\b\.?(?:\s(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b\.?)?"
    rf"{_SECOND}?{_PLACE}{{0,3}}{_POSTCODE}?{_COUNTRY}?"
)
_JAPANESE = re.compile(
    rf"(?<![\w.,/-])(?:(?:Room|Rm\.?|#)?\s?\d{{1,4}}[,\s]\s?)?(?:[A-Z][A-Za-z]+(?:\s[A-Z][A-Za-z]+){{0,3}}\s(?:Bldg|Building|Tower|Mansion|Heights|House|Plaza)\.?(?:\s\d{{1,3}}F)?,\s)?"
    r"\d{1,4}-\d{1,4}(?:-\d{1,4}){0,2},?\s[A-Z][A-Za-z'’-]+(?:\s?\d-chome)?(?:,?\s[A-Z][A-Za-z'’-]+){0,3}"
    r"(?:,?\s(?:Tokyo|Osaka|Kyoto|Hokkaido|Okinawa|[A-Z][a-z]+(?:-(?:ken|fu|to|shi|ku|gun|cho|machi)|\sPrefecture)))+"
    rf"{_POSTCODE}?{_COUNTRY}?"
)
_CHOME = re.compile(
    rf"(?<![\w.,/-])(?:\d{{1,2}}-chome(?:\s\d{{1,3}}-\d{{1,3}})?(?:-\d{{1,4}})?|\d{{1,3}}-\d{{1,3}}(?:-\d{{1,4}})?)\s[A-Z][A-Za-z'’-]+(?:-(?:cho|machi|chome))?(?:,\s?[A-Z][A-Za-z'’-]+){{1,4}}{_POSTCODE}?{_COUNTRY}?"
)
_BOX = re.compile(rf"(?<!\w)P\.?\s?O\.?\s?Box\s\d{{1,6}}{_PLACE}{{0,2}}{_POSTCODE}?{_COUNTRY}?", re.IGNORECASE)
_HINT = re.compile(r"\d\s?[A-Za-z]?,?\s[A-Z]|-chome|[Bb]ox\s\d")


def detect(view: View) -> Iterator[Hit]:
    if not _HINT.search(view.text):
        return
    for pattern, rule, confidence in (
        (_WESTERN, "address.street", 0.88), (_JAPANESE, "address.romanised", 0.88),
        (_CHOME, "address.romanised", 0.8), (_BOX, "address.box", 0.85),
    ):  # fmt: skip
        for match in pattern.finditer(view.text):
            end = match.start() + len(match[0].rstrip(" ,."))
            yield Hit(match.start(), end, "ADDRESS", rule, confidence)
