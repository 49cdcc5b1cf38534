"""From a grid of cells to typed tables: titles, units, header, label columns, periods; and the figures in the cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from apps.common.japanese.normalise import half_width
from apps.proposals.evidence.document import Cell, Grid, Piece
from apps.proposals.evidence.figures import Figure, find_figures
from apps.proposals.evidence.labels import split_role

_UNIT = re.compile(
    r"[(（\[]?\s*(?:単位|unit)s?\s*[:：は]?\s*(?P<unit>[^)）\],、。\s]+(?:\s(?:million|thousand|billion))?)\s*[)）\]]?",
    re.IGNORECASE,
)
_UNIT_IN_HEADER = re.compile(r"[(（\[]\s*(?P<unit>[^()（）\[\]]{1,12})\s*[)）\]]\s*$")
_GENERIC = re.compile(
    r"^(?:値|金額|数値|数字|実績|内容|数量|value|amount|figure|total|合計|計|データ|数)$", re.IGNORECASE
)
_UNIT_COLUMN = re.compile(r"^(?:単位|units?|通貨|currency)$", re.IGNORECASE)
_VALID_COLUMN = re.compile(r"有効期限|有効期間|適用期限|期限|valid (?:until|to)|expir", re.IGNORECASE)
_AS_OF_COLUMN = re.compile(r"^(?:基準日|時点|基準時点|as of|date|更新日|期間|period|年度|対象期間)$", re.IGNORECASE)
_NOTE_COLUMN = re.compile(
    r"^(?:備考|注記?|説明|内容|詳細|出典|notes?|remarks?|description|source|comment)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Read:
    """A figure of a table cell, with its label (row and column), unit, period and dates."""

    row: int
    column: int
    figure: Figure
    raw: str
    value: float
    unit: str
    label: str
    period: str = ""
    valid_until: str = ""
    as_of: str = ""


@dataclass
class TypedTable:
    """One table of a sheet or document: ``columns`` are the header, ``rows`` the texts below it."""

    title: str
    locator: str
    columns: list[str]
    rows: list[list[Cell]]
    unit: str = ""
    labels: int = 1
    notes: list[Piece] = field(default_factory=list)

    def row_label(self, index: int) -> str:
        words = [c.text for c in self.rows[index][: self.labels] if c.text]
        return " ".join(dict.fromkeys(words))

    def figures(self) -> Iterator[Read]:
        """Every figure of the table. Cells of label columns are words, not figures."""
        for r in range(len(self.rows)):
            yield from self._row(r)

    def _row(self, r: int) -> Iterator[Read]:
        row = self.rows[r]
        special = {
            name: next((c.text for c, h in zip(row, self.columns, strict=True) if pattern.search(h)), "")
            for name, pattern in (("unit", _UNIT_COLUMN), ("valid", _VALID_COLUMN), ("as_of", _AS_OF_COLUMN))
        }
        for c in range(self.labels, len(row)):
            header = self.columns[c]
            if (
                not row[c].text
                or _UNIT_COLUMN.search(header)
                or _VALID_COLUMN.search(header)
                or _AS_OF_COLUMN.search(header)
            ):
                continue
            figure = _cell_figure(row[c].text)
            if figure is None or (_NOTE_COLUMN.search(header) and len(row[c].text) > len(figure.text) + 6):
                continue
            label, period = self._label(r, c)
            raw, value, unit = _with_unit(figure, self._unit(r, c, special["unit"]))
            yield Read(r, c, figure, raw, value, unit, label, period or special["as_of"], special["valid"])

    def _unit(self, r: int, c: int, row_unit: str) -> str:
        for text in (row_unit, _bracketed_unit(self.columns[c]), _bracketed_unit(self.row_label(r))):
            if text:
                return text
        return self.unit

    def _label(self, r: int, c: int) -> tuple[str, str]:
        """Label and period of a cell: whichever of row and column is a period becomes the period."""
        row = _without_unit(self.row_label(r))
        column = _without_unit(self.columns[c])
        if _is_period(column) and not _is_period(row):
            return row or self.title, column
        if _is_period(row):
            return (self.title if _GENERIC.match(column) or not column else column), row
        base, role = split_role(column)
        if role and not base:
            return f"{row}（{column}）", ""
        if not row or _GENERIC.match(column) or not column:
            return row or column, ""
        return f"{row} {column}", ""


def typed_tables(grid: Grid) -> list[TypedTable]:
    """The tables of a grid: blocks of rows between empty lines, without empty columns."""
    return [table for block in _blocks(grid.rows) if (table := _table(block, grid))]


def _blocks(rows: list[list[Cell]]) -> list[list[list[Cell]]]:
    blocks: list[list[list[Cell]]] = [[]]
    for row in rows:
        if any(c.text for c in row):
            blocks[-1].append(row)
        elif blocks[-1]:
            blocks.append([])
    return [b for b in blocks if b]


def _table(block: list[list[Cell]], grid: Grid) -> TypedTable | None:
    width = max(len(row) for row in block)
    padded = [row + [Cell("", row[-1].locator)] * (width - len(row)) for row in block]
    keep = [c for c in range(width) if any(row[c].text for row in padded)]
    rows = [[row[c] for c in keep] for row in padded]
    notes: list[Piece] = []
    title, unit = grid.title, ""
    while rows and _is_line(rows[0]) and (len(keep) > 1 or not _has_pairs(rows)):
        cell = next(c for c in rows[0] if c.text)
        found = _UNIT.search(cell.text)
        unit = found["unit"] if found else unit
        title = cell.text if not found and not notes else title
        notes.append(Piece(cell.text, cell.locator))
        rows = rows[1:]
    tail: list[Piece] = []
    while len(rows) > 1 and len(keep) > 1 and _is_line(rows[-1]):
        cell = next(c for c in rows[-1] if c.text)
        tail.insert(0, Piece(cell.text, cell.locator))
        found = _UNIT.search(cell.text)
        unit = unit or (found["unit"] if found else "")
        rows = rows[:-1]
    if not rows:
        return TypedTable(title, grid.locator, [], [], notes=notes + tail) if notes or tail else None
    header, body = _header(rows)
    for name in header:
        found = _UNIT.search(name)
        unit = unit or (found["unit"] if found else "")
    if unit and not _unit_word(unit):
        unit = ""
    table = TypedTable(title, rows[0][0].locator, header, body, unit, notes=notes + tail)
    table.labels = _label_columns(table)
    return table


def _is_line(row: list[Cell]) -> bool:
    texts = [c for c in row if c.text]
    return len({c.text for c in texts}) == 1 and not (len(texts) == 1 and texts[0].number)


def _has_pairs(rows: list[list[Cell]]) -> bool:
    return any(sum(1 for c in row if c.text) > 1 for row in rows)


def _header(rows: list[list[Cell]]) -> tuple[list[str], list[list[Cell]]]:
    """Header texts and the rows below. Two header rows are joined; without a header the columns have no names."""
    blank = [""] * len(rows[0])
    if len(rows) == 1 or not _is_header(rows[0], rows[1:]):
        return blank, rows
    first = [c.text for c in rows[0]]
    if len(rows) > 2 and _is_header(rows[1], rows[2:]) and any(not t for t in first[1:]) and not rows[1][0].text:
        filled = [t or next((first[k] for k in range(i, 0, -1) if first[k]), "") for i, t in enumerate(first)]
        return [f"{a} {c.text}".strip() for a, c in zip(filled, rows[1], strict=True)], rows[2:]
    return first, rows[1:]


def _is_header(row: list[Cell], below: list[list[Cell]]) -> bool:
    """Words (or periods) above columns that hold figures, or words above words in a table of three rows and more."""
    texts = [c.text for c in row]
    if any(c.number and not _is_period(c.text) for c in row) or sum(bool(t) for t in texts) < 2:
        return False
    if any(t and (f := _cell_figure(t)) and len(f.text) > 0.6 * len(t) and not _is_period(t) for t in texts[1:]):
        return False
    return any(_cell_figure(r[c].text) for r in below for c in range(1, len(r)) if r[c].text) or len(below) >= 2


def _label_columns(table: TypedTable) -> int:
    """How many leading columns are words: at least one."""
    count = 1
    for c in range(1, len(table.columns) - 1):
        cells = [row[c].text for row in table.rows if row[c].text]
        special = _UNIT_COLUMN.search(table.columns[c]) or _AS_OF_COLUMN.search(table.columns[c])
        if special or not cells or any(_cell_figure(t) for t in cells):
            break
        count += 1
    return count if count < len(table.columns) else 1


def _cell_figure(text: str) -> Figure | None:
    """The figure a cell stands for: its first quantity."""
    return next((f for f in find_figures(text) if f.kind == "quantity"), None)


def _is_period(text: str) -> bool:
    found = [f for f in find_figures(text) if f.kind == "date"]
    return (bool(found) and len(found[0].text) >= 0.5 * len(text.strip())) or bool(
        re.fullmatch(r"前期|当期|今期|来期|前年度|今年度|\d{1,2}年目|Year \d+", text.strip())
    )


def _unit_word(text: str) -> str:
    """A word that is a unit (百万円, %, 人, USD million …), or ""."""
    found = [f for f in find_figures("1" + text) if f.kind == "quantity" and f.unit]
    if not found:
        found = [f for f in find_figures(f"{text} 1") if f.kind == "quantity" and f.unit]
    return text if found else ""


def _bracketed_unit(text: str) -> str:
    found = _UNIT_IN_HEADER.search(text)
    return _unit_word(re.sub(r"^単位\s*[:：]\s*", "", found["unit"])) if found else ""


def _without_unit(text: str) -> str:
    found = _UNIT_IN_HEADER.search(text)
    return text[: found.start()].strip() if found and _bracketed_unit(text) else text.strip()


_SCALED_CURRENCY = re.compile(
    r"^(?P<code>JPY|USD|EUR|GBP|CNY|US\$|\$|¥)\s?(?P<scale>million|mn|m|thousand|k|billion|bn)?$", re.IGNORECASE
)


def _with_unit(figure: Figure, unit: str) -> tuple[str, float, str]:
    """Text, plain value and canonical unit of a cell, given the unit its table states."""
    if figure.unit or not unit:
        return figure.text, figure.value or 0.0, figure.full_unit
    currency = _SCALED_CURRENCY.match(half_width(unit))
    if currency:
        text = f"{currency['code']} {figure.text}{' ' + currency['scale'] if currency['scale'] else ''}"
    else:
        text = f"{figure.text} {unit}" if unit[0].isascii() and unit[0].isalpha() else figure.text + unit
    found = next((f for f in find_figures(text) if f.kind == "quantity" and f.unit), None)
    return (found.text, found.value or 0.0, found.full_unit) if found else (figure.text, figure.value or 0.0, unit)
