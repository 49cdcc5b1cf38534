"""Streams: text from the model is held until it has been checked, checked text until it cannot be a placeholder.

Where a stream is cut does not depend on how it arrived: segments are a function of the text alone, so every split gives
the same text and the same verdict, and a complete answer goes through the same segments as a stream.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.guardrails.masking import MaskMap

SENTENCE_ENDS = "。！？\n"
SEGMENT = 80  # characters after which a segment may end without a sentence end
_SENTENCE_END = re.compile(f"[{SENTENCE_ENDS}]")
LOOKBACK = 256  # characters of earlier text that the check of a segment sees
_LIMIT = 4096  # characters held at most, should no border come
_BLANKS = 32  # blanks looked across when a number might go on behind them

# Borders inside these runs would cut a number, a token, a name.
_RUN = re.compile(r"[!-~０-９Ａ-Ｚａ-ｚ＠．－＿\u00ad\u200b-\u200f\u2060\ufeff]|[〇零一-龠々ヶ]|[ァ-ヴーｦ-ﾟ]")
_BLANK = " \t\r\n\u3000"
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{1,40}-----")


def _kind(char: str) -> str:
    """ascii, kanji, katakana, or empty for characters between which any border is fine."""
    if not _RUN.match(char):
        return ""
    if char <= "~" or (char >= "！" and char <= "～") or char in "\u00ad\u2060\ufeff" or "\u200b" <= char <= "\u200f":
        return "ascii"
    return "katakana" if "ァ" <= char <= "ー" or char >= "ｦ" else "kanji"


def _safe(text: str, cut: int) -> bool | None:
    """Whether a segment may end before ``text[cut]``; None when that depends on text that has not come yet."""
    after, before = cut, cut - 1
    while after < len(text) and after < cut + _BLANKS and text[after] in _BLANK:
        after += 1
    while before > 0 and text[before] in _BLANK:
        before -= 1
    if text[before].isdigit() or text[before] in "-－・":
        if after == len(text):
            return None
        if text[after].isdigit() or text[after] in "-－〇零一二三四五六七八九":
            return False
    if cut == len(text):
        return None
    kind = _kind(text[cut - 1])
    return not (kind and kind == _kind(text[cut])) and not _in_pem(text, cut)


def _in_pem(text: str, cut: int) -> bool:
    """Inside a key block, whose lines belong together."""
    begin = text.rfind("-----BEGIN", 0, cut)
    return begin >= 0 and not _PEM_END.search(text, begin, cut)


def next_cut(text: str) -> int:
    """Where the first segment of ``text`` ends; 0 when more text is needed to tell."""
    if len(text) < SEGMENT and _SENTENCE_END.search(text) is None:
        return 0
    for cut in range(1, min(len(text), _LIMIT) + 1):
        if text[cut - 1] in SENTENCE_ENDS:
            safe = _safe(text, cut) if text[cut - 1] == "\n" else not _in_pem(text, cut)
        elif cut >= SEGMENT:
            safe = _safe(text, cut)
        else:
            continue
        if safe is None:
            return 0
        if safe:
            return cut
    return _LIMIT if len(text) >= _LIMIT else 0


def segments(text: str) -> list[str]:
    """The segments of a complete text."""
    found: list[str] = []
    position = 0
    while cut := next_cut(text[position : position + _LIMIT + 2 * _BLANKS]):
        found.append(text[position : position + cut])
        position += cut
    return [*found, text[position:]] if position < len(text) else found


# (earlier text, segment) → the segment as it may go on; raises Blocked
Check = Callable[[str, str], str]


class CheckedStream:
    """Policy buffer: gives out whole segments that passed ``check``."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._pending = ""
        self._earlier = ""

    def feed(self, text: str) -> str:
        self._pending += text
        out: list[str] = []
        while cut := next_cut(self._pending):
            out.append(self._pass(cut))
        return "".join(out)

    def finish(self) -> str:
        return self._pass(len(self._pending)) if self._pending else ""

    def _pass(self, size: int) -> str:
        segment, self._pending = self._pending[:size], self._pending[size:]
        passed = self._check(self._earlier, segment)
        self._earlier = (self._earlier + segment)[-LOOKBACK:]
        return passed


class RestoredStream:
    """Restore buffer: holds only a tail that can still become a placeholder, and puts values back."""

    def __init__(self, masks: MaskMap, *, in_json: bool = False) -> None:
        self._masks = masks
        self._in_json = in_json
        self._pending = ""

    def feed(self, text: str) -> str:
        self._pending += text
        ready = self._masks.pending(self._pending)
        out, self._pending = self._pending[:ready], self._pending[ready:]
        return self._masks.restore(out, in_json=self._in_json)

    def finish(self) -> str:
        """The rest; a placeholder that was cut off stays as it is."""
        out, self._pending = self._pending, ""
        return self._masks.restore(out, in_json=self._in_json)
