"""A transcript as an engine answers it: read, changed where the guardrails changed its text, told in each form. Pure.

The guardrails read the whole text, since a name or number may run over two segments; what they change is then found
again in the segments and words that it came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

_PLACEHOLDER = re.compile(r"\[\[[A-Za-z0-9_]{2,40}\]\]")
_ANCHOR = 24  # characters after a change by which its end is found again
_LONGEST_CHANGE = 400
_NUMBERS = ("seek", "start", "end", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob")


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment or word: its text, its times in seconds, and what else was told of it (numbers only)."""

    text: str
    start: float
    end: float
    more: dict[str, float]


@dataclass(frozen=True, slots=True)
class Transcript:
    """``seconds``: the length of the recording; None: the engine does not say."""

    text: str
    language: str
    seconds: float | None
    segments: tuple[Piece, ...] = ()
    words: tuple[Piece, ...] = ()
    usage: dict[str, Any] | None = None  # the engine's own, numbers only


@dataclass(frozen=True, slots=True)
class Change:
    """Characters ``start`` to ``end`` of a text, and what stands there now."""

    start: int
    end: int
    now: str


def read(answer: dict[str, Any]) -> Transcript:
    """From an engine's ``json`` or ``verbose_json``; fields nobody asked for and token ids are left behind."""
    usage = answer.get("usage")
    told = answer.get("duration", usage.get("seconds") if isinstance(usage, dict) else None)
    try:
        seconds = max(0.0, float(told)) if told is not None else None
    except (TypeError, ValueError):
        seconds = None
    return Transcript(
        text=str(answer.get("text") or ""),
        language=str(answer.get("language") or ""),
        seconds=seconds,
        segments=_pieces(answer.get("segments"), "text"),
        words=_pieces(answer.get("words"), "word"),
        usage=numbers(usage),
    )


def numbers(usage: Any) -> dict[str, Any] | None:
    """Tokens (OpenAI's newer models) or seconds, as the engine counts them."""
    if not isinstance(usage, dict) or usage.get("type") != "tokens":
        return None
    counted = {name: value for name, value in usage.items() if isinstance(value, int | float)}
    details = {name: _counts(value) for name, value in usage.items() if isinstance(value, dict)}
    return {"type": "tokens", **counted, **details}


def _counts(value: dict[str, Any]) -> dict[str, Any]:
    return {name: number for name, number in value.items() if isinstance(number, int | float)}


def _pieces(listed: Any, name: str) -> tuple[Piece, ...]:
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return tuple(
        Piece(
            str(item.get(name) or ""),
            _number(item.get("start")),
            _number(item.get("end")),
            {key: _number(item[key]) for key in _NUMBERS if key in item},
        )
        for item in items
    )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def guarded(transcript: Transcript, guard: Callable[[str], str]) -> Transcript:
    """With every text as the guardrails leave it. ``guard`` raises what it raises for a text that may not be told."""
    whole = "".join(piece.text for piece in transcript.segments)
    if whole.strip() != transcript.text.strip():
        told = guard(transcript.text)
        if not whole:
            return replace(transcript, text=told, words=transcript.words if told == transcript.text else ())
        return replace(_changed(transcript, whole, guard(whole)), text=told)
    told = guard(whole)
    return replace(_changed(transcript, whole, told), text=told.strip())


def _changed(transcript: Transcript, whole: str, told: str) -> Transcript:
    if told == whole:
        return transcript
    changes = find_changes(whole, told)
    if changes is None:  # not to be found again: one segment for all, and no words
        first, last = transcript.segments[0], transcript.segments[-1]
        return replace(transcript, segments=(Piece(told, first.start, last.end, {}),), words=())
    segments, at = [], 0
    for piece in transcript.segments:
        segments.append(replace(piece, text=_with(whole, changes, at, at + len(piece.text))))
        at += len(piece.text)
    return replace(transcript, segments=tuple(segments), words=_words(transcript.words, whole, changes))


def _words(words: Sequence[Piece], whole: str, changes: Sequence[Change]) -> tuple[Piece, ...]:
    """The words of a text of which some is changed; none at all if one of them cannot be found in it."""
    told, at = [], 0
    for word in words:
        start = whole.find(word.text.strip(), at)
        if start < 0:
            return ()
        at = start + len(word.text.strip())
        if text := _with(whole, changes, start, at):
            told.append(replace(word, text=text))
    return tuple(told)


def _with(whole: str, changes: Sequence[Change], start: int, end: int) -> str:
    """Characters ``start`` to ``end`` as they are now: what replaces a part stands where that part begins."""
    told, at = [], start
    for change in changes:
        if change.end <= start or change.start >= end:
            continue
        told.append(whole[at : max(at, change.start)])
        if start <= change.start:
            told.append(change.now)
        at = min(change.end, end)
    return "".join([*told, whole[at:end]])


def find_changes(before: str, now: str) -> list[Change] | None:
    """Where placeholders stand in place of what; None when that cannot be told for certain."""
    changes: list[Change] = []
    i = j = 0
    while i < len(before) or j < len(now):
        if i < len(before) and j < len(now) and before[i] == now[j] and not _PLACEHOLDER.match(now, j):
            i, j = i + 1, j + 1
            continue
        match = _PLACEHOLDER.match(now, j)
        if match is None:
            return None
        following = _PLACEHOLDER.search(now, match.end())
        anchor = now[match.end() : following.start() if following else len(now)][:_ANCHOR]
        end = before.find(anchor, i + 1, i + _LONGEST_CHANGE) if anchor else (len(before) if not following else -1)
        if end < 0:
            return None
        changes.append(Change(i, end, match[0]))
        i, j = end, match.end()
    return changes


# -- forms ------------------------------------------------------------------------------------------------------------


def as_json(transcript: Transcript) -> dict[str, Any]:
    return {"text": transcript.text, **_usage(transcript)}


def as_verbose_json(transcript: Transcript, task: str, granularities: Sequence[str]) -> dict[str, Any]:
    """OpenAI's ``verbose_json``. Token ids are never told: they would spell out the text as it was."""
    told: dict[str, Any] = {
        "task": task,
        "language": transcript.language,
        "duration": transcript.seconds or (transcript.segments[-1].end if transcript.segments else 0.0),
        "text": transcript.text,
    }
    if "segment" in granularities or not granularities:
        told["segments"] = [_segment(number, piece) for number, piece in enumerate(transcript.segments)]
    if "word" in granularities:
        told["words"] = [{"word": w.text, "start": w.start, "end": w.end} for w in transcript.words]
    return {**told, **_usage(transcript)}


def _segment(number: int, piece: Piece) -> dict[str, Any]:
    numbers: dict[str, Any] = {name: piece.more.get(name, 0.0) for name in _NUMBERS}
    numbers |= {"seek": int(numbers["seek"]), "start": piece.start, "end": piece.end}
    return {"id": number, "text": piece.text, "tokens": [], **numbers}


def _usage(transcript: Transcript) -> dict[str, Any]:
    if transcript.usage is not None:
        return {"usage": transcript.usage}
    if transcript.seconds is None:
        return {}
    return {"usage": {"type": "duration", "seconds": round(transcript.seconds, 2)}}


def as_srt(transcript: Transcript) -> str:
    blocks = [
        f"{number}\n{_clock(p.start, ',')} --> {_clock(p.end, ',')}\n{_one_block(p.text)}\n"
        for number, p in enumerate(transcript.segments, 1)
    ]
    return "\n".join(blocks)


def as_vtt(transcript: Transcript) -> str:
    blocks = [
        f"{_clock(p.start, '.')} --> {_clock(p.end, '.')}\n{_one_block(p.text).replace('-->', '->')}\n"
        for p in transcript.segments
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _one_block(text: str) -> str:
    """A blank line would end the block."""
    return "\n".join(line for line in text.strip().splitlines() if line.strip())


def _clock(seconds: float, point: str) -> str:
    thousandths = round(max(0.0, seconds) * 1000)
    hours, rest = divmod(thousandths, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
