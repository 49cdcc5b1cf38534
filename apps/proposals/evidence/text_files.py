"""Readers for txt, md and csv attachments, and for the minutes app's ``minutes.json``."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from apps.proposals.evidence.document import Cell, Document, Grid

_ENCODINGS = ("utf-8-sig", "cp932", "euc_jp")
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_HTML_HIDDEN = re.compile(
    r"<(?P<tag>span|div|p|font)\b[^>]*(?:display:\s*none|visibility:\s*hidden|font-size:\s*0|color:\s*(?:white|#fff))[^>]*>(?P<text>.*?)</(?P=tag)>",
    re.DOTALL | re.IGNORECASE,
)


class Undecodable(ValueError):
    """The bytes are no text in a known encoding."""


def decode(data: bytes) -> str:
    """Text in UTF-8, UTF-16 (with mark), Shift_JIS (cp932) or EUC-JP. Raises Undecodable."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    if b"\x00" in data:
        raise Undecodable
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            continue
    raise Undecodable


def read_text(data: bytes, document: Document) -> None:
    """Lines with their number; Markdown tables as grids; HTML comments and invisible spans as hidden."""
    text = decode(data)
    for pattern, reason, group in ((_COMMENT, "HTML comment", 1), (_HTML_HIDDEN, "invisible style", "text")):
        for match in pattern.finditer(text):
            document.add(match[group], f"line {text.count(chr(10), 0, match.start()) + 1}", reason)
        text = pattern.sub(lambda m: "\n" * m[0].count("\n"), text)
    table: list[list[Cell]] = []
    heading = ""
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        if line.lstrip().startswith("|"):
            cells = [Cell(_plain(c), f"line {number}") for c in line.strip().strip("|").split("|")]
            if not all(re.fullmatch(r":?-{2,}:?|", c.text) for c in cells):
                table.append(cells)
            continue
        if table:
            document.grids.append(Grid(table, table[0][0].locator, heading))
            table = []
        if line.strip() and not re.fullmatch(r"[\s\-=_*]{3,}", line):
            plain = _plain(re.sub(r"^\s*(?:#{1,6}|>|[-*+](?=\s))\s*", "", line))
            heading = plain if line.lstrip().startswith("#") else heading
            document.add(plain, f"line {number}")


def _plain(text: str) -> str:
    return re.sub(r"\*\*|__|`|!?\[([^\]]*)\]\([^)]*\)", lambda m: m[1] or "", text).strip()


def read_csv(data: bytes, document: Document) -> None:
    """The whole file as one grid; the delimiter is found from the first lines."""
    text = decode(data)
    sample = text[:4000]
    delimiter = max(",\t;", key=lambda d: sum(line.count(d) for line in sample.splitlines()[:10]))
    rows = [
        [Cell(value.strip(), f"{_column(c)}{r}") for c, value in enumerate(row)]
        for r, row in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter), start=1)
    ]
    document.grids.append(Grid(rows, "A1"))


def _column(index: int) -> str:
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(65 + rest) + name
    return name


def read_minutes(data: bytes, document: Document) -> bool:
    """Decisions, actions and points of a ``minutes.json``; False when the file is something else."""
    try:
        content = json.loads(decode(data))
    except ValueError:
        return False
    if not isinstance(content, dict) or "meeting" not in content or "decisions" not in content:
        return False
    for text, locator in _minutes_lines(content):
        document.add(text, locator)
    return True


def _minutes_lines(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    meeting = content.get("meeting") or {}
    yield " ".join(str(meeting.get(k) or "") for k in ("title", "date")), "meeting"
    for section in ("decisions", "open_questions"):
        for index, item in enumerate(content.get(section) or []):
            yield str(item.get("text") or ""), f"{section}[{index}]"
    for index, item in enumerate(content.get("actions") or []):
        parts = [str(item[k]) for k in ("task", "owner", "due") if item.get(k)]
        yield "、".join(parts), f"actions[{index}]"
    for index, topic in enumerate(content.get("topics") or []):
        yield str(topic.get("title") or ""), f"topics[{index}]"
        for inner, point in enumerate(topic.get("points") or []):
            yield str(point.get("text") or ""), f"topics[{index}].points[{inner}]"
