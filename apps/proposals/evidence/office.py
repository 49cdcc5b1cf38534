"""Readers for docx and xlsx: blocks, tables and cells with their places, and what the pages hide."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import openpyxl
from docx import Document as open_docx
from docx.oxml.ns import qn
from docx.table import Table
from docx.text.paragraph import Paragraph
from openpyxl.utils import get_column_letter

from apps.proposals.evidence.document import Cell, Document, Grid

MAX_CELLS = 20_000
_TINY_PT = 4.0


def read_docx(data: bytes, document: Document) -> None:
    """Paragraphs (``block n``), tables (``table n``); hidden: comments, hidden or unreadable runs, deletions."""
    source = open_docx(io.BytesIO(data))
    tables = 0
    for number, block in enumerate(source.element.body.iterchildren(), start=1):
        if block.tag == qn("w:p"):
            _paragraph(Paragraph(block, source), f"block {number}", document)
        elif block.tag == qn("w:tbl"):
            tables += 1
            _docx_table(Table(block, source), f"table {tables}", document)
    for number, comment in enumerate(source.comments, start=1):
        document.add(comment.text, f"comment {number}", "comment")
    for section in source.sections:
        for place, part in (("header", section.header), ("footer", section.footer)):
            if not part.is_linked_to_previous:
                document.add(" ".join(p.text for p in part.paragraphs), place)
    _properties(source.core_properties, document)


def _paragraph(paragraph: Paragraph, locator: str, document: Document) -> None:
    shown: list[str] = []
    for run in paragraph._p.iter(qn("w:r")):
        text = "".join(t.text or "" for t in run.iter(qn("w:t")))
        reason = _run_hidden(run)
        if reason:
            document.add(text, locator, reason)
        else:
            shown.append(text)
    for deleted in paragraph._p.iter(qn("w:delText")):
        document.add(deleted.text or "", locator, "deleted text")
    for picture in paragraph._p.iter(qn("wp:docPr")):
        document.add(picture.get("descr") or "", locator, "alternative text")
    document.add("".join(shown), locator)


def _run_hidden(run: Any) -> str:
    """Why a run is not seen: hidden, white, or too small to read; "" when it is."""
    properties = run.find(qn("w:rPr"))
    if properties is None:
        return ""
    vanish, color, size = (properties.find(qn(tag)) for tag in ("w:vanish", "w:color", "w:sz"))
    if vanish is not None and vanish.get(qn("w:val")) not in ("0", "false"):
        return "hidden text"
    shaded = properties.find(qn("w:shd")) is not None or properties.find(qn("w:highlight")) is not None
    if color is not None and str(color.get(qn("w:val"))).upper() in ("FFFFFF", "FEFEFE", "FDFDFD") and not shaded:
        return "white text"
    if size is not None and float(size.get(qn("w:val"))) / 2 <= _TINY_PT:
        return "tiny text"
    return ""


def _docx_table(table: Table, locator: str, document: Document) -> None:
    rows: list[list[Cell]] = []
    for r, row in enumerate(table.rows, start=1):
        cells: list[Cell] = []
        for c, cell in enumerate(row.cells, start=1):
            for paragraph in cell.paragraphs:
                for run in paragraph._p.iter(qn("w:r")):
                    if reason := _run_hidden(run):
                        document.add("".join(t.text or "" for t in run.iter(qn("w:t"))), f"{locator} R{r}C{c}", reason)
            shown = " ".join(_shown(p) for p in cell.paragraphs).strip()
            cells.append(Cell(shown, f"{locator} R{r}C{c}"))
        rows.append(cells)
    document.grids.append(Grid(rows, locator))


def _shown(paragraph: Paragraph) -> str:
    runs = (run for run in paragraph._p.iter(qn("w:r")) if not _run_hidden(run))
    return "".join(t.text or "" for run in runs for t in run.iter(qn("w:t")))


def _properties(properties: Any, document: Document) -> None:
    for name in ("subject", "keywords", "comments", "description", "category", "title"):
        document.add(str(getattr(properties, name, None) or ""), f"property {name}", "document property")


def read_xlsx(data: bytes, document: Document) -> None:
    """Cells (``sheet!cell``) with the values last calculated; hidden sheets, rows, columns, comments apart."""
    book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    formulas = openpyxl.load_workbook(io.BytesIO(data))
    left = MAX_CELLS
    for sheet in book.worksheets:
        grid: list[list[Cell]] = []
        for row in sheet.iter_rows():
            left -= len(row)
            if left < 0:
                document.notes.append(
                    (
                        "evidence_truncated",
                        f"{document.name} は大きいため、シート「{sheet.title}」の途中までを読みました。",
                        f"{document.name} is large: sheet '{sheet.title}' was read in part.",
                    )
                )
                break
            grid.append(list(_xlsx_row(sheet, formulas[sheet.title], row, document)))
        if sheet.sheet_state == "visible":
            document.grids.append(Grid(grid, sheet.title, sheet.title))
        else:
            for cells in grid:
                document.add("、".join(c.text for c in cells if c.text), f"{sheet.title}", "hidden sheet")
    _properties(book.properties, document)


def _xlsx_row(sheet: Any, formulas: Any, row: tuple[Any, ...], document: Document) -> Iterator[Cell]:
    for cell in row:
        locator = f"{sheet.title}!{cell.coordinate}"
        if getattr(cell, "comment", None):
            document.add(cell.comment.text, locator, "comment")
        value = cell.value
        if value is None:
            formula = formulas[cell.coordinate].value
            if isinstance(formula, str) and formula.startswith("="):
                document.notes.append(
                    (
                        "evidence_formula",
                        (
                            f"{document.name} の {locator} "
                            f"は数式の計算結果が保存されていないため読めません（Excelで開いて保存し直してください）。"
                        ),
                        (
                            f"{locator} in {document.name} holds a formula without "
                            f"a stored result; open and save it in Excel."
                        ),
                    )
                )
        text = _cell_text(value, cell.number_format)
        reason = _cell_hidden(sheet, cell)
        if reason and text:
            document.add(text, locator, reason)
            text = ""
        yield Cell(text, locator, isinstance(value, int | float) and not isinstance(value, bool))


def _cell_hidden(sheet: Any, cell: Any) -> str:
    if sheet.row_dimensions[cell.row].hidden:
        return "hidden row"
    for letter, dimension in sheet.column_dimensions.items():
        if dimension.hidden and (dimension.min or 0) <= cell.column <= (dimension.max or 0):
            return "hidden column"
        if dimension.hidden and letter == get_column_letter(cell.column):
            return "hidden column"
    font, fill = cell.font, cell.fill
    white = font is not None and font.color is not None and str(font.color.rgb).upper() in ("FFFFFFFF", "00FFFFFF")
    if white and (fill is None or fill.fill_type is None):
        return "white text"
    if font is not None and font.sz is not None and float(font.sz) <= _TINY_PT:
        return "tiny text"
    return "hidden number format" if cell.number_format == ";;;" else ""


def _cell_text(value: Any, number_format: str) -> str:
    """A cell as a reader sees it: percent formats, thousands, dates."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()[:10]
    if isinstance(value, int | float):
        if "%" in (number_format or ""):
            return f"{round(value * 100, 4):g}%"
        number = round(float(value), 6)
        text = f"{int(number):,}" if number == int(number) else f"{number:,.10g}"
        year_like = isinstance(value, int) and 1900 <= value <= 2100 and "," not in (number_format or "")
        return _with_currency(str(value) if year_like else text, number_format or "")
    return str(value).strip()


def _with_currency(text: str, number_format: str) -> str:
    if "¥" in number_format or "￥" in number_format or "円" in number_format:
        return text + "円"
    return "$" + text if "$" in number_format and "[$-" not in number_format else text
