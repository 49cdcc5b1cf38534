"""Markdown tables of a brief: rows as lines of text or as figures, read with their header."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from apps.proposals.brief.fields import concept_of
from apps.proposals.evidence.labels import split_role

_COLUMNS = re.compile(r"^(?:値|数値|数字|金額|単位|期間|時点|value|amount|unit|period)$", re.IGNORECASE)


def row_cells(text: str) -> list[str]:
    """The cells of ``| a | b |``."""
    return [cell.strip() for cell in text.strip().strip("|").split("|")]


def is_divider(cells: list[str]) -> bool:
    return all(re.fullmatch(r":?-{2,}:?", cell) for cell in cells if cell)


def _priced(head: str, cell: str) -> str:
    """A cell of a column of prices keeps the word for it: ``300万円`` under 費用 → ``費用 300万円``."""
    return f"{head} {cell}" if concept_of(head) == "cost" and re.match(r"[約\d¥￥$€£]|[A-Z]{3} \d", cell) else cell


@dataclass(frozen=True)
class Header:
    """The first row of a table."""

    cells: list[str]

    def is_entry(self) -> bool:
        """Whether this is no header but a first ``field | value`` row (お客様 | 北斗フードサービス)."""
        return len(self.cells) == 2 and concept_of(self.cells[0]) is not None and concept_of(self.cells[1]) is None

    def line(self, cells: list[str]) -> str:
        """A row as one item: ``処理時間：現状 月160時間 → 目標 月60時間``; other columns are joined."""
        rest = [(head, cell) for head, cell in zip(self.cells[1:], cells[1:], strict=False) if cell]
        roles = [split_role(head)[1] for head, _ in rest]
        if roles[:2] == ["before", "after"]:
            (now, one), (then, two) = rest[:2]
            told = [f"{now} {one} → {then} {two}", *(cell for _, cell in rest[2:])]
        else:
            told = [_priced(head, cell) for head, cell in rest]
        return "：".join(part for part in (cells[0], "、".join(told)) if part)

    def figures(self, cells: list[str]) -> Any:
        """A row of a table of figures, in a shape that :func:`read_numbers` takes."""
        known = {head: cell for head, cell in zip(self.cells[1:], cells[1:], strict=False) if cell}
        if any(_COLUMNS.match(head) for head in known):
            return {"label": cells[0], **{head.lower(): cell for head, cell in known.items()}}
        return {cells[0]: known if len(known) > 1 else list(known.values())}
