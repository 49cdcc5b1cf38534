"""Lines of a typed note with what its outline says of them: the heading above, the label before a colon, the bullet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from apps.common.japanese.normalise import fold
from apps.common.tagging.features import Line

_MARKS = (
    ("markdown", re.compile(r"^\s{0,3}#{1,6}\s*(?P<text>.+?)\s*#*$")),
    ("bracket", re.compile(r"^\s*[【［\[〈《<≪](?P<text>[^】］\]〉》>≫]{1,30})[】］\]〉》>≫]\s*[:：]?\s*$")),
    ("mark", re.compile(r"^\s*[■◆▼▲□◇◎★☆●○▶]\s*(?P<text>[^:：。]{1,24})[:：]?\s*$")),
    ("emphasis", re.compile(r"^\s*(?:\*\*|__)(?P<text>[^*_]{1,40}?)[:：]?(?:\*\*|__)[:：]?\s*$")),
    ("colon", re.compile(r"^\s*(?P<text>[^:：。、|]{1,24})[:：]\s*$")),
)
_SHORT = re.compile(r"^[^\s　・\-*|0-9０-９（(].{1,18}$")
_BULLET = re.compile(r"^[\s　]*(?P<mark>[-*+・•‣◦※→⇒>＞]|\d{1,2}[.)）、．]|[①-⑳]|[(（]\d{1,2}[)）])\s*")
_LABEL = re.compile(r"^[\s　]*(?:[-*+・•※■◆●○]\s*)?(?P<label>[^:：|。、]{1,20}?)\s*[:：]\s*\S")


@dataclass(frozen=True)
class Unit:
    """A piece of a line: ``text`` as typed; ``same``: it goes on the line of the unit before."""

    text: str
    same: bool = False


Meaning = Callable[[str], str | None]


def outlined(units: Sequence[Unit], meaning: Meaning = lambda heading: None) -> list[Line]:
    """The units as lines for a tagger, each with hints of its place. ``meaning``: what a heading or label stands for."""
    lines: list[Line] = []
    heading = ""
    for index, unit in enumerate(units):
        following = units[index + 1].text if index + 1 < len(units) and not units[index + 1].same else ""
        kind, found = _heading(unit.text, following) if not unit.same else ("", "")
        heading = found or heading
        lines.append(Line(unit.text, heading, tuple(_hints(unit, kind, "" if found else heading, lines, meaning))))
    return lines


def _heading(text: str, following: str) -> tuple[str, str]:
    """How a line shows itself to be a heading, and its words; two empty strings when it is none."""
    for kind, pattern in _MARKS:
        if match := pattern.match(text):
            return kind, match["text"]
    if _SHORT.match(text) and not re.search(r"[。、：:|!！?？]", text) and _BULLET.match(following):
        return "short", text.strip()
    return "", ""


def _hints(unit: Unit, kind: str, heading: str, before: Sequence[Line], meaning: Meaning) -> Iterator[str]:
    bullet, label = _BULLET.match(unit.text), _LABEL.match(unit.text)
    form = kind or ("row" if unit.text.lstrip().startswith("|") else "bullet" if bullet else "plain")
    yield f"form {form}"
    yield f"same {unit.same}"
    if bullet:
        yield f"bullet {bullet['mark'] if not re.search('[0-9①-⑳０-９]', bullet['mark']) else '1'}"
    if not before:
        yield "top"
    for name, words in (("heading", heading), ("label", label["label"] if label else "")):
        yield from _words(name, words)
        yield f"{name} means {meaning(words) if words else None}"


def _words(name: str, text: str) -> Iterable[str]:
    flat = fold(text)
    if not flat:
        return [f"{name} none"]
    grams = {flat[i : i + 2] for i in range(max(1, len(flat) - 1))} if not flat.isascii() else set(text.lower().split())
    return [f"{name} {flat}", f"{name} end {flat[-2:]}", *(f"{name} has {g}" for g in sorted(grams))]
