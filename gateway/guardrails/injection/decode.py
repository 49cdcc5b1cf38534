"""Texts hidden in other texts: base64, hex, URL escapes, ROT13, reversed, leetspeak. Decoded once, then scanned again."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,}={0,2}")
_BASE32 = re.compile(r"(?<![A-Za-z0-9])[A-Z2-7]{24,}={0,6}(?![A-Za-z0-9])")
_BASE85 = re.compile(r"(?<!\S)(?=\S*[!#$%&()*;<>?@^_`{|}~])[!-~]{30,}(?!\S)")
_HEX = re.compile(r"(?:(?:\\x|0x|%)?[0-9A-Fa-f]{2}[\s:,]?){12,}")
_URL = re.compile(r"(?:%[0-9A-Fa-f]{2}[A-Za-z0-9_.+-]{0,12}){4,}")
_UNICODE = re.compile(r"(?:\\u[0-9A-Fa-f]{4}\s?){4,}")
_ENTITY = re.compile(r"(?:&#x?[0-9A-Fa-f]{2,6};\s?){4,}")
_BINARY = re.compile(r"(?:[01]{8}\s?){6,}")
# What hides text is a run of at least so many ASCII characters or blanks (case folding lets ı, ſ and K in).
_HIDES = re.compile(r"[!-~\s]{12}", re.IGNORECASE)
_HIDES_WORDS = re.compile(r"[!-~]{4}", re.IGNORECASE)
_TAGS = re.compile("[\U000e0020-\U000e007e]")
_REVERSED_JAPANESE = ("視無", "示指", "令命", "トプンロプ", "ムテスシ", "れ忘", "ルール")
_ROT13_WORDS = re.compile(r"\b(?:vtaber|qvfertneq|cerivbhf|cevbe|vafgehpgvbaf?|cebzcg|flfgrz|erirny|sbetrg|ehyrf|erfgevpgvbaf|bireevqr|olcnff)\b", re.IGNORECASE)
_REVERSED_WORDS = re.compile(
    r"\b(?:erongi|dragersid|suoiverp|snoitcurtsni|noitcurtsni|tpmorp|metsys|laever|tegrof|selur|snoitcirtser)\b|視無|示指|令命|トプンロプ|ムテスシ|れ忘|ルール(?:の|を)で", re.IGNORECASE
)
_LEET_WORD = re.compile(r"\b(?=[a-z0-9@$!|]*[a-z])(?=[a-z@$!|]*[013457@$!|])[a-z0-9@$!|]{4,}\b", re.IGNORECASE)
_LEET = str.maketrans("013457@$!|", "oieastasil")


def _readable(raw: bytes) -> str:
    """The text of ``raw`` if it is one: valid UTF-8, mostly letters; else empty."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw[: len(raw) - 1 - len(raw) % 3].decode("utf-8", "ignore") if raw[:1] > b"\x7f" else ""
    letters = sum(char.isalnum() or char in " \n。、.,!?'\"-:;「」ー" for char in text)
    return text if len(text) >= 6 and letters >= 0.9 * len(text) else ""


def _base64(value: str) -> str:
    try:
        return _readable(base64.b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4), altchars=b"-_" if re.search("[-_]", value) else None))
    except (binascii.Error, ValueError):
        return ""


def _base32(value: str) -> str:
    try:
        return _readable(base64.b32decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 8)))
    except (binascii.Error, ValueError):
        return ""


def _base85(value: str) -> str:
    for decoder in (base64.b85decode, base64.a85decode):
        try:
            text = _readable(decoder(value))
        except ValueError:
            continue
        if text:
            return text
    return ""


def decoded(text: str, original: str = "") -> Iterator[tuple[str, int, int]]:
    """Every hidden text with the span it was hidden in. ``original`` still has the invisible characters."""
    tags = "".join(chr(ord(char) - 0xE0000) for char in _TAGS.findall(original))
    if len(tags) >= 6 and text:
        yield tags, 0, len(text)
    if _HIDES.search(text):
        yield from _encoded(text)
    yield from _whole(text)


def _encoded(text: str) -> Iterator[tuple[str, int, int]]:
    """Texts written in other letters: base64, hex, escapes."""
    for match in _BASE32.finditer(text):
        yield _base32(match[0]), *match.span()
    for match in _BASE85.finditer(text):
        yield _base85(match[0]), *match.span()
    for match in _BASE64.finditer(text):
        yield _base64(match[0]), *match.span()
    for match in _HEX.finditer(text):
        digits = re.sub(r"\\x|0x|%|[\s:,]", "", match[0])
        if len(digits) % 2 == 0:
            yield _readable(bytes.fromhex(digits)), *match.span()
    for match in _URL.finditer(text):
        yield _readable(unquote_to_bytes(match[0].replace("+", " "))), *match.span()
    for match in _UNICODE.finditer(text):
        yield re.sub(r"\\u([0-9A-Fa-f]{4})\s?", lambda m: chr(int(m[1], 16)), match[0]), *match.span()
    for match in _ENTITY.finditer(text):
        yield html.unescape(match[0]), *match.span()
    for match in _BINARY.finditer(text):
        octets = re.findall(r"[01]{8}", match[0])
        yield _readable(bytes(int(octet, 2) for octet in octets)), *match.span()


def _whole(text: str) -> Iterator[tuple[str, int, int]]:
    """Ciphers that cover the whole text: ROT13, reversed, leetspeak."""
    latin = _HIDES_WORDS.search(text) is not None
    if latin and len(_ROT13_WORDS.findall(text)) >= 2:
        yield codecs.decode(text, "rot13"), 0, len(text)
    if (latin or any(word in text for word in _REVERSED_JAPANESE)) and len(_REVERSED_WORDS.findall(text)) >= 2:
        yield text[::-1], 0, len(text)
    if not latin:
        return
    leet = [word for word in _LEET_WORD.findall(text) if not word.isdigit()]
    if len(leet) >= 2:
        yield text.translate(_LEET), 0, len(text)
