"""Minutes as a Word document: Japanese business form, East Asian fonts on every run, origin in the properties."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from apps.common.properties import CONTENT_TYPE, PART_NAME, custom_xml, provenance, xml_safe
from apps.minutes.documents.labels import LABELS, Language
from apps.minutes.documents.layout import Block, Bullet, Grid, Heading, Layout, Text
from apps.minutes.model import Minutes, Transcript

FACES = {"ja": ("Yu Gothic", "游ゴシック"), "en": ("Calibri", "游ゴシック")}
INK, QUIET, ALERT, RULE = RGBColor(0x1F, 0x29, 0x37), RGBColor(0x6B, 0x72, 0x80), RGBColor(0xB4, 0x53, 0x09), "D1D5DB"
ACCENT = RGBColor(0x1E, 0x3A, 0x5F)
LINE_MM = 170.0


class WordWriter:
    """Writes blocks into one document."""

    def __init__(self, language: Language) -> None:
        self.document = Document()
        self.latin, self.asian = FACES[language]
        self.words = LABELS[language]
        self._page()
        self._drop_legacy_styles()

    def _page(self) -> None:
        section = self.document.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        section.left_margin = section.right_margin = Mm(20)
        section.top_margin = section.bottom_margin = Mm(18)
        for name in ("Normal", "Title", "Heading 1", "Heading 2", "List Bullet"):
            self._style(self.document.styles[name])
        normal = self.document.styles["Normal"]
        normal.font.size = Pt(10.5)
        normal.paragraph_format.space_after = Pt(4)
        self._footer(section.footer.paragraphs[0])

    def _drop_legacy_styles(self) -> None:
        """The template's second copy of the styles (for Word 2010) would contradict ours."""
        part = self.document.part
        for rid, rel in list(part.rels.items()):
            if rel.reltype.endswith("/stylesWithEffects"):
                part.rels.pop(rid)

    def _style(self, style: Any) -> None:
        style.font.name, style.font.color.rgb = self.latin, INK
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
        fonts.set(qn("w:eastAsia"), self.asian)
        fonts.set(qn("w:hAnsi"), self.latin)

    def _footer(self, paragraph: Any) -> None:
        """Page number as a field: Word counts, not we."""
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        self.run(paragraph, f"{self.words['page']} ", QUIET, 9)
        run = self.run(paragraph, "", QUIET, 9)
        for kind, text in (("begin", None), (None, "PAGE"), ("end", None)):
            element = OxmlElement("w:fldChar" if kind else "w:instrText")
            if kind:
                element.set(qn("w:fldCharType"), kind)
            else:
                element.text = text
            run._r.append(element)

    def run(
        self, paragraph: Any, text: str, color: RGBColor = INK, size: float | None = None, bold: bool = False
    ) -> Any:
        """A run with both faces set, so that no application falls back for Japanese."""
        run = paragraph.add_run(xml_safe(text))
        run.font.name, run.font.color.rgb, run.bold = self.latin, color, bold
        run._r.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), self.asian)
        if size:
            run.font.size = Pt(size)
        return run

    def title(self, text: str) -> None:
        paragraph = self.document.add_paragraph()
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        self.run(paragraph, self.words["document"], QUIET, 11)
        paragraph = self.document.add_paragraph()
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        paragraph.paragraph_format.space_after = Pt(10)
        self.run(paragraph, text, ACCENT, 18, bold=True)

    def block(self, block: Block) -> None:
        match block:
            case Heading(text, level):
                paragraph = self.document.add_paragraph(style=f"Heading {level}")
                paragraph.paragraph_format.space_before = Pt(14 if level == 1 else 8)
                self.run(paragraph, text, ACCENT, 13 if level == 1 else 11, bold=True)
            case Text(text, quiet, alert):
                color = ALERT if alert else QUIET if quiet else INK
                self.run(self.document.add_paragraph(), text, color, 9 if quiet else None)
            case Bullet():
                self._bullet(block)
            case Grid():
                self._grid(block)

    def _bullet(self, bullet: Bullet) -> None:
        paragraph = self.document.add_paragraph(style="List Bullet")
        paragraph.paragraph_format.space_after = Pt(2)
        self.run(paragraph, bullet.text)
        if bullet.source:
            self.run(paragraph, f"  {bullet.source}", QUIET, 8.5)
        if bullet.review:
            self.run(paragraph, f"  ⚠ {bullet.review}", ALERT, 9)

    def _grid(self, grid: Grid) -> None:
        rows = len(grid.rows) + bool(grid.head)
        table = self.document.add_table(rows=rows, cols=len(grid.widths))
        table.style, table.alignment, table.autofit = "Table Grid", WD_TABLE_ALIGNMENT.CENTER, False
        _borders(table)
        for column, share in enumerate(grid.widths):
            table.columns[column].width = Mm(LINE_MM * share)
            for cell in table.columns[column].cells:
                cell.width = Mm(LINE_MM * share)
        if grid.head:
            for cell, name in zip(table.rows[0].cells, grid.head, strict=True):
                _shade(cell, "EEF2F7")
                self.run(_first(cell), name, ACCENT, 9.5, bold=True)
            _repeat(table.rows[0])
        for row, cells in zip(list(table.rows)[bool(grid.head) :], grid.rows, strict=True):
            for index, (cell, content) in enumerate(zip(row.cells, cells, strict=True)):
                row_name = not grid.head and index == 0
                if row_name:
                    _shade(cell, "EEF2F7")
                last = bool(grid.head) and index == len(cells) - 1
                self.run(_first(cell), content.text, QUIET if last else INK, 8.5 if last else 10, bold=row_name)
                if content.review:
                    self.run(_next(cell), f"⚠ {content.review}", ALERT, 8.5)
        self.document.add_paragraph().paragraph_format.space_after = Pt(2)

    def properties(self, minutes: Minutes) -> None:
        """Core properties, and the origin of the document as custom ones."""
        core = self.document.core_properties
        core.title, core.author, core.last_modified_by = xml_safe(minutes.meeting.title)[:255], "Kakehashi", "Kakehashi"
        core.created = core.modified = datetime.now(UTC).replace(tzinfo=None)
        core.comments, core.keywords = "", ""
        package = self.document.part.package
        blob = custom_xml(provenance({"generator": "kakehashi", **minutes.meta}))
        part = Part(PackURI(PART_NAME), CONTENT_TYPE, blob, package)
        package.relate_to(part, RELATIONSHIP_TYPE.CUSTOM_PROPERTIES)


def write_word(minutes: Minutes, transcript: Transcript, path: Path, language: Language) -> None:
    """Write the document; by rename, so that a broken write never leaves half a file."""
    layout, writer = Layout(minutes, transcript, language), WordWriter(language)
    writer.title(layout.title())
    for block in layout.blocks():
        writer.block(block)
    writer.properties(minutes)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    writer.document.save(str(temporary))
    temporary.replace(path)


def _first(cell: Any) -> Any:
    return _tight(cell.paragraphs[0])


def _next(cell: Any) -> Any:
    return _tight(cell.add_paragraph())


def _tight(paragraph: Any) -> Any:
    paragraph.paragraph_format.space_after = Pt(1)
    return paragraph


def _shade(cell: Any, color: str) -> None:
    shade = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", color)):
        shade.set(qn(f"w:{name}"), value)
    cell._tc.get_or_add_tcPr().append(shade)


def _repeat(row: Any) -> None:
    """The head row stands again on each page."""
    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


def _borders(table: Any) -> None:
    borders = OxmlElement("w:tblBorders")
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        line = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", RULE)):
            line.set(qn(f"w:{name}"), value)
        borders.append(line)
    properties = table._tbl.tblPr
    later = [properties.find(qn(f"w:{name}")) for name in ("tblLayout", "tblCellMar", "tblLook")]
    next(e for e in later if e is not None).addprevious(borders)  # the schema fixes the order
