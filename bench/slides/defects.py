"""Defects as people and programs make them, planted into a sound deck: each a function that changes one slide."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image
from pptx.dml.color import RGBColor
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import MSO_AUTO_SIZE
from pptx.util import Emu, Inches, Pt

TEXT = "為替の変動により営業利益がぶれるため、予約の比率を段階的に引き上げます。"


@dataclass(frozen=True)
class Seed:
    """A defect: its name, the rule that must find it, and how it is planted into a presentation."""

    name: str
    rule: str
    plant: Callable[[Any], None]


def _drawn(prs: Any) -> Any:
    """A slide with drawn content: the third."""
    return prs.slides[2]


def _fresh(prs: Any) -> Any:
    """A slide of its own with a title and nothing else, so that a defect has one cause."""
    slide = prs.slides.add_slide(_drawn(prs).slide_layout)
    slide.shapes.title.text = "為替の変動に段階的に備えます"
    for shape in list(slide.placeholders):
        if shape.placeholder_format.idx != 0:
            shape._element.getparent().remove(shape._element)
    return slide


def _box(prs: Any, text: str, width: float, height: float, *, top: float = 3.0, slide: Any = None) -> Any:
    """A text box, in inches from the left edge of the content."""
    box = (slide or _fresh(prs)).shapes.add_textbox(Inches(1), Inches(top), Inches(width), Inches(height))
    box.text_frame.word_wrap = True
    box.text_frame.auto_size = MSO_AUTO_SIZE.NONE
    box.text_frame.text = text
    for paragraph in box.text_frame.paragraphs:
        for run in paragraph.runs:
            run.font.size = Pt(14)
    return box


def _rgb(color: str) -> Any:
    return RGBColor.from_string(color)  # type: ignore[no-untyped-call]


def _filled(box: Any, color: str = "EEF2F6") -> Any:
    box.fill.solid()
    box.fill.fore_color.rgb = _rgb(color)
    return box


def overflow(prs: Any) -> None:
    _filled(_box(prs, TEXT * 3, 3, 0.6))


def overflow_unbroken(prs: Any) -> None:
    """A line that may not wrap, wider than its card."""
    box = _filled(_box(prs, TEXT, 3, 0.5))
    box.text_frame.word_wrap = False


def overflow_exact_spacing(prs: Any) -> None:
    """Lines set 36 points apart: three of them need twice the height that their size tells."""
    box = _filled(_box(prs, "一行目の文\n二行目の文\n三行目の文", 3, 0.9))
    for paragraph in box.text_frame.paragraphs:
        paragraph.line_spacing = Pt(36)


def overflow_space_after(prs: Any) -> None:
    box = _filled(_box(prs, "一行目の文\n二行目の文\n三行目の文", 3, 0.9))
    for paragraph in box.text_frame.paragraphs:
        paragraph.space_after = Pt(24)


def overflow_growing(prs: Any) -> None:
    """A box that grows with its text, over what stands below it."""
    slide = _fresh(prs)
    _box(prs, TEXT * 6, 6, 0.4, top=2.0, slide=slide).text_frame.auto_size = MSO_AUTO_SIZE.SHAPE_TO_FIT_TEXT
    _box(prs, TEXT, 6, 1.0, top=2.5, slide=slide)


def overlap(prs: Any) -> None:
    slide = _fresh(prs)
    _box(prs, TEXT, 6, 1.0, slide=slide)
    _box(prs, TEXT, 6, 1.0, top=3.2, slide=slide)


def off_slide(prs: Any) -> None:
    _filled(_box(prs, TEXT, 4, 1)).left = Emu(prs.slide_width - Inches(2))


def low_contrast(prs: Any) -> None:
    box = _filled(_box(prs, "薄い文字", 2, 0.5), "FFFFFF")
    box.text_frame.paragraphs[0].runs[0].font.color.rgb = _rgb("DDDDDD")


def tiny_font(prs: Any) -> None:
    _box(prs, "小さな文字", 2, 0.5).text_frame.paragraphs[0].runs[0].font.size = Pt(7)


def _picture(prs: Any, width: float, height: float) -> Any:
    data = io.BytesIO()
    Image.new("RGB", (600, 600), "navy").save(data, "PNG")
    data.seek(0)
    return _fresh(prs).shapes.add_picture(data, Inches(2), Inches(3), Inches(width), Inches(height))


def missing_alt_text(prs: Any) -> None:
    _picture(prs, 1.5, 1.5)._element.nvPicPr.cNvPr.set("descr", "")


def distorted_picture(prs: Any) -> None:
    _picture(prs, 3, 1.2)._element.nvPicPr.cNvPr.set("descr", "青い四角")


def empty_placeholder(prs: Any) -> None:
    layout = next(la for la in prs.slide_layouts if len(list(la.placeholders)) > 1)
    slide = prs.slides.add_slide(layout)
    slide.shapes.title.text = "この資料だけの題名です"


def prompt_text(prs: Any) -> None:
    _box(prs, "クリックしてテキストを入力", 3, 0.6)


def broken_table(prs: Any) -> None:
    """A row with a cell too few."""
    row = _tables(prs)[0].table._tbl.tr_lst[1]
    row.remove(row.tc_lst[-1])


def tall_table(prs: Any) -> None:
    """A cell whose text makes its row grow over the foot of the slide."""
    cell = _tables(prs)[0].table.cell(1, 1)
    cell.text_frame.text = TEXT * 12


def _tables(prs: Any) -> list[Any]:
    return [shape for slide in prs.slides for shape in slide.shapes if shape.has_table]


def duplicate_title(prs: Any) -> None:
    prs.slides[4].shapes.title.text = prs.slides[3].shapes.title.text_frame.text


def missing_title(prs: Any) -> None:
    title = prs.slides[3].shapes.title._element
    title.getparent().remove(title)


def hidden_behind(prs: Any) -> None:
    """A filled shape laid over text."""
    first = next(s for s in _drawn(prs).shapes if s.has_text_frame and s.text_frame.text and not s.is_placeholder)
    cover = _drawn(prs).shapes.add_shape(MSO_SHAPE.RECTANGLE, first.left, first.top, first.width, first.height)
    _filled(cover)


SEEDS = (
    Seed("overflow", "look.overflow", overflow),
    Seed("overflow_unbroken", "look.overflow", overflow_unbroken),
    Seed("overflow_exact_spacing", "look.overflow", overflow_exact_spacing),
    Seed("overflow_space_after", "look.overflow", overflow_space_after),
    Seed("overflow_growing", "look.overlap", overflow_growing),
    Seed("overlap", "look.overlap", overlap),
    Seed("hidden_behind", "look.overlap", hidden_behind),
    Seed("off_slide", "look.off_slide", off_slide),
    Seed("low_contrast", "look.contrast", low_contrast),
    Seed("tiny_font", "look.min_size", tiny_font),
    Seed("missing_alt_text", "look.alt_text", missing_alt_text),
    Seed("distorted_picture", "look.image_distorted", distorted_picture),
    Seed("empty_placeholder", "look.placeholder_empty", empty_placeholder),
    Seed("prompt_text", "look.prompt_text", prompt_text),
    Seed("broken_table", "look.table_broken", broken_table),
    Seed("tall_table", "look.overflow", tall_table),
    Seed("duplicate_title", "look.title_duplicate", duplicate_title),
    Seed("missing_title", "look.title_missing", missing_title),
)
