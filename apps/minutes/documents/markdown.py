"""Minutes as Markdown (GitHub tables); text of the meeting never turns into markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from apps.minutes.documents.labels import LABELS, Language
from apps.minutes.documents.layout import Block, Bullet, Cell, Grid, Heading, Layout, Text
from apps.minutes.model import Minutes, Transcript


def escape(text: str) -> str:
    """Text on one line, with everything that Markdown or HTML would read as markup escaped."""
    text = " ".join(text.splitlines())
    return re.sub(r"([\\`*_{}<>\[\]#|~])", r"\\\1", text)


def _cell(cell: Cell) -> str:
    text = "<br>".join(escape(line) for line in cell.text.split("\n"))
    return f"{text}<br>⚠ {escape(cell.review)}" if cell.review else text


def _grid(grid: Grid) -> Iterator[str]:
    head = grid.head or ["" for _ in grid.widths]
    yield "| " + " | ".join(escape(name) for name in head) + " |"
    yield "|" + "---|" * len(grid.widths)
    for row in grid.rows:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"{'#' * (level + 1)} {escape(text)}"
        case Text(text, quiet, alert):
            yield f"*{escape(text)}*" if quiet else f"**⚠ {escape(text)}**" if alert else escape(text)
        case Bullet(text, source, review):
            yield f"- {escape(text)}" + (f" {escape(source)}" if source else "")
            if review:
                yield f"  - ⚠ {escape(review)}"
        case Grid():
            yield from _grid(block)


def to_markdown(minutes: Minutes, transcript: Transcript, language: Language) -> str:
    """The whole document as Markdown text."""
    layout = Layout(minutes, transcript, language)
    lines = [f"# {escape(LABELS[language]['document'])}: {escape(layout.title())}"]
    before: Block | None = None
    for block in layout.blocks():
        if not (isinstance(block, Bullet) and isinstance(before, Bullet)):
            lines.append("")
        lines += _block(block)
        before = block
    return "\n".join(lines) + "\n"
