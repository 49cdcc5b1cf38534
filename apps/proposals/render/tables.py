"""Native tables: column widths by content, heights by measured text, header and total rows, marks centred."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree
from pptx.opc.constants import RELATIONSHIP_TYPE as RT
from pptx.opc.package import Part
from pptx.opc.packuri import PackURI
from pptx.oxml import parse_xml

from apps.proposals.model import Table
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.color import Color
from apps.proposals.render.geometry import Box, emu
from apps.proposals.render.items import balanced_chunks
from apps.proposals.render.measure import PITCH, clusters
from apps.proposals.render.text import Align, Para, balanced, fill, para, sizes, text_height
from apps.proposals.render.xml import Element, el, qn

STYLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"  # PowerPoint's "No Style, No Grid": looks come from the cells
STYLE_NAME = "No Style, No Grid"
PAD_X, PAD_Y, PAD_RIGHT = 8.0, 5.0, 18.0
SPACING = 1.05
LEAST, COMFORT, MOST = 12.0, 13.0, 16.0
MARKS = frozenset("◎○〇●△▲×✕✓レ－ー―–—-…")
_NUMBER = re.compile(
    r"^[約±+\-−▲△(（]*[¥￥$€]?\s?\d[\d,]*(?:\.\d+)?\s?(?:%|％|[^\d\s]{0,6})[)）]?(?:[（(].{1,8}[）)])?$"
)
_TOTAL = re.compile(r"^(?:合計|総計|小計|計|total|sum|grand total|subtotal)", re.IGNORECASE)
_OURS = re.compile(r"ご提案|本提案|当行|弊行|弊社|当社|our |proposal|proposed|recommended|推奨", re.IGNORECASE)


@dataclass(frozen=True)
class Grid:
    """A table with rows of equal length and what its columns hold."""

    columns: list[str]
    rows: list[list[str]]
    numeric: list[bool]
    marks: list[bool]
    ours: int | None = None
    totals: frozenset[int] = field(default_factory=frozenset)

    @property
    def mixed(self) -> bool:
        """A comparison: columns hold figures in one row and marks in the next, so all are centred."""
        return self.ours is not None


def prepare(kit: Kit, table: Table, slide: str, *, highlight: bool) -> Grid:
    wide = max(len(table.columns), 1)
    for number, row in enumerate(table.rows, 1):
        if len(row) != wide:
            kit.tell("render.table_data", "warn", slide, number)
    wide = max([wide, *(len(row) for row in table.rows)])
    columns = (table.columns + [""] * wide)[:wide]
    rows = [([str(cell).strip() for cell in row] + [""] * wide)[:wide] for row in table.rows]
    return graded(columns, rows, highlight=highlight)


def graded(columns: list[str], rows: list[list[str]], *, highlight: bool) -> Grid:
    def share(column: int, test: object) -> bool:
        cells = [row[column] for row in rows if row[column]]
        return bool(cells) and sum(map(test, cells)) >= 0.7 * len(cells)  # type: ignore[call-overload]

    numeric = [n > 0 and share(n, lambda c: bool(_NUMBER.match(c)) or c in MARKS) for n in range(len(columns))]
    marks = [n > 0 and share(n, lambda c: len(c) <= 4) for n in range(len(columns))]
    named = [n for n, text in enumerate(columns) if n and _OURS.search(text)]
    totals = frozenset(n for n, row in enumerate(rows) if _TOTAL.match(row[0]))
    return Grid(columns, rows, numeric, marks, named[-1] if highlight and named else None, totals)


@dataclass(frozen=True)
class Layout:
    """Widths, heights (header first) and the size of type."""

    widths: list[float]
    heights: list[float]
    size: float

    @property
    def height(self) -> float:
        return sum(self.heights)


def _cell_paras(
    text: str, size: float, *, bold: bool = False, align: Align = "l", color: Color | None = None
) -> list[Para]:
    return [para(line, size, bold=bold, align=align, color=color, spacing=SPACING) for line in text.split("\n")]


def widths(kit: Kit, grid: Grid, room: float, size: float) -> list[float] | None:
    """Each column between its longest unbreakable piece and its longest text; None when even the pieces do not fit."""
    least, wish = [], []
    for n in range(len(grid.columns)):
        cells = [(grid.columns[n], True), *((row[n], i in grid.totals) for i, row in enumerate(grid.rows))]
        pieces = [kit.face.width(p, size, bold=b) for text, b in cells for p in clusters(text)[:60]] or [0.0]
        lines = [kit.face.width(line, size, bold=b) for text, b in cells for line in text.split("\n")] or [0.0]
        pad = PAD_X + right_pad(grid, n) + 4
        least.append(min(max(max(pieces) * 1.08, size * 3) + pad, room * 0.6))
        wish.append(min(max(lines) * 1.08 + pad, room * 0.55))
    if sum(least) > room:
        return None
    wish = [max(w, low) for w, low in zip(wish, least, strict=True)]
    if sum(wish) <= room:
        spare = room - sum(wish)
        return [w + spare * (w / sum(wish) * 0.5 + 0.5 / len(wish)) for w in wish]
    flexible = sum(w - low for w, low in zip(wish, least, strict=True)) or 1.0
    share = (room - sum(least)) / flexible
    return [low + (w - low) * share for w, low in zip(wish, least, strict=True)]


def lay_out(kit: Kit, grid: Grid, room: float, size: float) -> Layout | None:
    found = widths(kit, grid, room, size)
    return None if found is None else Layout(found, heights(kit, grid, found, size), size)


def right_pad(grid: Grid, column: int) -> float:
    """Figures stand off the next column."""
    return PAD_RIGHT if grid.numeric[column] and not grid.mixed else PAD_X


def heights(kit: Kit, grid: Grid, found: Sequence[float], size: float) -> list[float]:
    """What each row needs at these column widths, header first."""
    out = []
    for number, row in enumerate([grid.columns, *grid.rows]):
        bold = number == 0 or number - 1 in grid.totals
        cells = [
            text_height(
                _cell_paras(text, size, bold=bold or n == 0 or n == grid.ours),
                w - PAD_X - right_pad(grid, n),
                kit.face,
            )
            for n, (text, w) in enumerate(zip(row, found, strict=True))
        ]
        out.append(max(*cells, size * PITCH * SPACING) + 2 * PAD_Y)
    return out


def fitted(kit: Kit, grid: Grid, area: Box, least: float = LEAST) -> Layout | None:
    """The largest size at which the table fits; rows then take up to 12 pt of air each."""
    for size in sizes(MOST, least):
        layout = lay_out(kit, grid, area.w, size)
        if layout is not None and layout.height <= area.h:
            air = min((area.h - layout.height) * 0.75 / len(layout.heights), 20.0)
            return Layout(layout.widths, [h + air for h in layout.heights], size)
    return None


def split(kit: Kit, grid: Grid, area: Box, least: float = LEAST) -> list[Grid]:
    """Parts that fit one slide each: rows first (header repeated), then columns (first column repeated)."""
    if fitted(kit, grid, area, least) is not None:
        return [grid]
    if widths(kit, grid, area.w, least) is None and len(grid.columns) > 2:
        return [part for piece in _by_columns(grid) for part in split(kit, piece, area, least)]
    for count in range(2, len(grid.rows) + 1):
        parts = [_rows(grid, chunk) for chunk in balanced_chunks(list(range(len(grid.rows))), count)]
        if all(fitted(kit, part, area, least) is not None for part in parts):
            return parts
    return [_rows(grid, [n]) for n in range(len(grid.rows))] or [grid]


def _rows(grid: Grid, chosen: Sequence[int]) -> Grid:
    totals = frozenset(position for position, n in enumerate(chosen) if n in grid.totals)
    return Grid(grid.columns, [grid.rows[n] for n in chosen], grid.numeric, grid.marks, grid.ours, totals)


def _by_columns(grid: Grid) -> list[Grid]:
    others = list(range(1, len(grid.columns)))
    parts = []
    for half in balanced_chunks(others, 2):
        kept = [0, *half]
        parts.append(
            Grid(
                [grid.columns[n] for n in kept],
                [[row[n] for n in kept] for row in grid.rows],
                [grid.numeric[n] for n in kept],
                [grid.marks[n] for n in kept],
                kept.index(grid.ours) if grid.ours in kept else None,
                grid.totals,
            )
        )
    return parts


# ---- drawing ---------------------------------------------------------------------------------------------------------


def draw_table(canvas: Canvas, box: Box, grid: Grid, layout: Layout, title: str) -> None:
    kit = canvas.kit
    rows, columns = len(grid.rows) + 1, len(grid.columns)
    frame = canvas.slide.shapes.add_table(rows, columns, emu(box.x), emu(box.y), emu(box.w), emu(layout.height))
    canvas.frame(
        frame,
        "table",
        kit.label(
            "table_alt",
            title=title,
            rows=len(grid.rows),
            columns=columns,
            heads=", ".join(c for c in grid.columns if c),
        ),
    )
    table = frame.table
    properties = table._tbl.tblPr
    for name in list(properties.attrib):
        del properties.attrib[name]
    properties.set("firstRow", "1")
    properties.find(qn("a:tableStyleId")).text = STYLE
    for column, width in zip(table.columns, layout.widths, strict=True):
        column.width = emu(width)
    for row, height in zip(table.rows, layout.heights, strict=True):
        row.height = emu(height)
    for number, texts in enumerate([grid.columns, *grid.rows]):
        cells = table._tbl.tr_lst[number].tc_lst
        for position, (cell, text) in enumerate(zip(cells, texts, strict=True)):
            _write(kit, cell, grid, number - 1, position, text, layout)
    ensure_style(canvas.slide.part.package)


def _write(kit: Kit, cell: Element, grid: Grid, row: int, column: int, text: str, layout: Layout) -> None:
    """``row`` -1 is the header."""
    scheme, head, total = kit.scheme, row < 0, row in grid.totals
    ours = column == grid.ours
    ground = scheme.brand if head and not ours else scheme.accent if head else scheme.surface if total or ours else None
    align = _align(grid, column, text, head)
    color = scheme.on(ground) if ground else scheme.ink
    if ours and not head:
        color = scheme.accent_on_surface
    bold = head or total or ours or (column == 0 and not head)
    if head:
        text = balanced(
            text, layout.widths[column] - 2 * PAD_X, layout.size, kit.face, bold=True, language=kit.language
        )
    body = cell.find(qn("a:txBody"))
    fill(body, _cell_paras(text, layout.size, bold=bold, align=align, color=color), kit.fonts, kit.language)
    _dress(kit, cell, ground, total, last=row == len(grid.rows) - 1, right=right_pad(grid, column))


def _align(grid: Grid, column: int, text: str, head: bool) -> Align:
    """Figures right with their headings, marks and short words centred, text left."""
    if grid.mixed:
        return "l" if column == 0 else "ctr"
    if grid.numeric[column]:
        return "r"
    return "ctr" if text in MARKS or grid.marks[column] else "l"


def _dress(kit: Kit, cell: Element, ground: Color | None, total: bool, *, last: bool, right: float) -> None:
    old = cell.find(qn("a:tcPr"))
    if old is not None:
        cell.remove(old)
    none = [el(f"a:{side}", el("a:noFill"), w=0) for side in ("lnL", "lnR")]
    top = (
        el("a:lnT", kit.scheme.brand.fill(), w=emu(1.25)) if total else el("a:lnT", kit.scheme.line.fill(), w=emu(0.75))
    )
    strong = last or total
    under = (kit.scheme.brand if strong else kit.scheme.line).fill()
    bottom = el("a:lnB", under, w=emu(1.25 if strong else 0.75))
    cell.append(
        el(
            "a:tcPr",
            *none,
            top,
            bottom,
            ground.fill() if ground else el("a:noFill"),
            anchor="ctr",
            marL=emu(PAD_X),
            marR=emu(right),
            marT=emu(PAD_Y),
            marB=emu(PAD_Y),
        )
    )


def ensure_style(package: Any) -> None:
    """The style named in our tables must stand in the template's list of table styles."""
    main = package.presentation_part
    part = next((rel.target_part for rel in main.rels.values() if rel.reltype == RT.TABLE_STYLES), None)
    if part is None:
        part = _new_styles(package, main)
    root = parse_xml(part.blob)
    if any(style.get("styleId") == STYLE for style in root):
        return
    whole = el(
        "a:wholeTbl", el("a:tcTxStyle", el("a:fontRef", idx="minor"), el("a:schemeClr", val="tx1")), el("a:tcStyle")
    )
    root.append(el("a:tblStyle", whole, styleId=STYLE, styleName=STYLE_NAME))
    part._blob = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def _new_styles(package: Any, main: Any) -> Part:
    kind = "application/vnd.openxmlformats-officedocument.presentationml.tableStyles+xml"
    blob = etree.tostring(el("a:tblStyleLst", **{"def": "{5C22544A-7EE6-4342-B048-85BDC9FD1C3A}"}))
    part = Part(PackURI("/ppt/tableStyles.xml"), kind, package, blob)
    main.relate_to(part, RT.TABLE_STYLES)
    return part
