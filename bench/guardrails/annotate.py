"""Turns marked-up lines into JSON lines with spans: the way the sets in ``tests/data/guardrails`` were written.

A line is text with the spans marked as ``⟦TYPE:value⟧``; ``\\n``, ``\\t`` and ``\\uXXXX`` stand for those characters; an
optional first field ``document<TAB>`` or ``tool<TAB>`` names the source. Empty lines and lines with ``# `` are skipped.

    python -m bench.guardrails.annotate < marked.txt > set.jsonl
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

_MARK = re.compile(r"⟦([A-Z_]+):(.*?)⟧", re.DOTALL)
_ESCAPE = re.compile(r"\\(n|t|u[0-9a-fA-F]{4})")
_SOURCE = re.compile(r"(user|document|tool)\t")


def _unescape(text: str) -> str:
    names = {"n": "\n", "t": "\t"}
    return _ESCAPE.sub(lambda m: names.get(m[1]) or chr(int(m[1][1:], 16)), text)


def parse(line: str) -> dict[str, Any]:
    """One marked-up line as ``{"text", "source", "spans": [{"start", "end", "type"}]}`` (offsets in code points)."""
    head = _SOURCE.match(line)
    rest = _unescape(line[head.end() :] if head else line)
    pieces: list[str] = []
    spans: list[dict[str, Any]] = []
    position, length = 0, 0
    for mark in _MARK.finditer(rest):
        before = rest[position : mark.start()]
        start = length + len(before)
        length = start + len(mark[2])
        pieces += [before, mark[2]]
        spans.append({"start": start, "end": length, "type": mark[1]})
        position = mark.end()
    text = "".join([*pieces, rest[position:]])
    return {"text": text, "source": head[1] if head else "user", "spans": spans}


def convert(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        line = line.rstrip("\n")
        if line and not line.startswith("# "):
            yield json.dumps(parse(line), ensure_ascii=False)


if __name__ == "__main__":
    for row in convert(sys.stdin):
        print(row)
