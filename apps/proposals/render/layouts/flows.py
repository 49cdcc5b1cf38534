"""Steps in order: process (chevrons), case (from problem to result)."""

from __future__ import annotations

from apps.proposals.model import Slide
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.geometry import Box
from apps.proposals.render.items import Item, items_of
from apps.proposals.render.layouts.base import Sheet, item_paras, shortened, with_lead
from apps.proposals.render.layouts.cards import Form, general, grid_form, plan, row_form
from apps.proposals.render.measure import MARGIN, PITCH, clusters
from apps.proposals.render.text import Para, balanced, para, sizes


def _headed(items: list[Item], language: str) -> list[Item]:
    """Short single sentences become heads, so that they stand in the chevrons."""
    limit = 16 if language == "ja" else 28
    return [
        Item(i.details[0]) if not i.head and len(i.details) == 1 and len(i.details[0]) <= limit else i for i in items
    ]


CHEVRON = 58.0
TIPS = 38.0  # points of a chevron's width that text cannot use


def chevron_form(kit: Kit, area: Box) -> Form:
    """Arrows in a row with the heads; details in a card below each."""

    def cells(box: Box, n: int) -> list[Box]:
        return box.columns([1] * max(n, 1), 8)

    def inner(cell: Box) -> Box:
        return Box(cell.x + 12, cell.y + CHEVRON + 10 + 12, cell.w - 24, cell.h - CHEVRON - 10 - 24)

    def paras(kit: Kit, item: Item, size: float) -> list[Para]:
        return item_paras(kit, Item("", item.details), size, ground=kit.scheme.surface)

    def draw(canvas: Canvas, cell: Box, item: Item, number: int, size: float, _: float) -> None:
        scheme = canvas.kit.scheme
        color = scheme.brand if number % 2 else scheme.accent
        color = color if scheme.palette.rgb(color) != scheme.background else scheme.brand
        head = Box(cell.x, cell.y, cell.w, CHEVRON)
        form = "homePlate" if number == 1 else "chevron"
        label = _chevron_label(canvas.kit, f"{number}. {item.head}" if item.head else str(number), cell.w - TIPS)
        label = [para(p.text, p.size, bold=True, align="ctr", color=scheme.on(color), spacing=1.0) for p in label]
        side = 10 if number == 1 else 2  # the chevron's own text area already stops short of its points
        canvas.shape(
            "step",
            head,
            form=form,
            fill_color=color,
            paras=label,
            anchor="ctr",
            adjust={"adj": 28000},
            insets=(side, 2, 2, 2),
        )
        if item.details:
            rest = cell.below(CHEVRON + 10)
            canvas.shape(
                "card", rest, fill_color=scheme.surface, paras=paras(canvas.kit, item, size), insets=(12, 12, 12, 12)
            )

    return Form(cells, inner, draw, most=6 if area.w > 780 else 4, paras=paras)


def _chevron_label(kit: Kit, text: str, width: float) -> list[Para]:
    """At most two lines in the arrow, from 16 pt down."""
    for size in sizes(16, 12):
        broken = balanced(text, width, size, kit.face, bold=True, language=kit.language)
        whole = all(kit.face.width(p, size, bold=True) <= width * MARGIN for p in clusters(text))
        if whole and kit.height([para(broken, size, bold=True, spacing=1.0)], width) <= size * PITCH * 2 + 0.5:
            return [para(broken, size, bold=True)]
    return [para(shortened(text, width, CHEVRON - 10, 12, kit, bold=True), 12, bold=True)]


def _heads_fit(kit: Kit, items: list[Item], area: Box) -> bool:
    width = area.w / max(len(items), 1) - 8 - TIPS
    return width > 60 and all(
        "…" not in _chevron_label(kit, f"0. {i.head}", width)[0].text or "…" in i.head for i in items
    )


def process(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
    items = _headed(items_of(slide.body, kit.language), kit.language)
    if not items or not all(item.head for item in items) or not 2 <= len(items) <= 12:
        return general(kit, slide, area)
    per = len(items) if len(items) <= 6 else -(-len(items) // 2)
    arrows = [chevron_form(kit, area)] if _heads_fit(kit, items[:per] * 2, Box(0, 0, area.w * 2, 0)) else []
    forms = [*arrows, grid_form(area, icon="number"), row_form(area)]
    return plan(kit, items, area, forms, slide=slide.id, most=16)


# ---- case ------------------------------------------------------------------------------------------------------------

BAND = 44.0


def flow_form(area: Box) -> Form:
    """Cards joined by arrows, the last one strong: what was wrong, what was done, what came of it."""

    def cells(box: Box, n: int) -> list[Box]:
        return box.columns([1] * max(n, 1), 34)

    def inner(cell: Box) -> Box:
        return Box(cell.x + 16, cell.y + 46 + 12, cell.w - 32, cell.h - 46 - 26)

    def paras(kit: Kit, item: Item, size: float) -> list[Para]:
        return item_paras(kit, Item("", item.details), size, ground=kit.scheme.surface)

    def draw(canvas: Canvas, cell: Box, item: Item, number: int, size: float, _: float) -> None:
        kit, scheme = canvas.kit, canvas.kit.scheme
        color = scheme.accent if number % 3 == 0 else scheme.brand
        label = shortened(item.head, cell.w - 24, 40, 16, kit, bold=True)
        head = [para(label, 16, bold=True, align="ctr", color=scheme.on(color), spacing=1.0)]
        canvas.shape("head", cell.top(46), fill_color=color, paras=head, anchor="ctr", insets=(12, 2, 12, 2))
        canvas.shape(
            "card", cell.below(46), fill_color=scheme.surface, paras=paras(kit, item, size), insets=(16, 12, 16, 14)
        )
        if cell.x > area.x + 1:
            spot = Box(cell.x - 27, cell.y + cell.h / 2 - 12, 20, 24)
            canvas.shape("arrow", spot, form="rightArrow", fill_color=scheme.accent)

    return Form(cells, inner, draw, most=4 if area.w > 780 else 3, paras=paras)


def case(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
    """A band with the client described (subtitle), then problem → action → result."""
    items = items_of(slide.body, kit.language)
    if not items:
        return with_lead(kit, slide, area, lambda box: general(kit, slide, box))
    band = slide.subtitle
    below = area.below(BAND + 14) if band else area
    if all(item.head and item.details for item in items) and len(items) > 1:
        sheets = plan(kit, items, below, [flow_form(below), row_form(below)], slide=slide.id)
    else:
        sheets = general(kit, slide, below)
    if not band:
        return sheets
    size = next((s for s in sizes(16, 12) if kit.face.width(band, s, bold=True) < (area.w - 60) * 0.95), 12.0)
    text = shortened(band, area.w - 60, BAND - 8, size, kit, bold=True)
    if text != band:
        sheets[0].left_out.append(band)
        kit.tell("render.shortened", "warn", slide.id, band[:20])
    return [_banded(sheet, area.top(BAND), text, size) for sheet in sheets]


def _banded(sheet: Sheet, box: Box, text: str, size: float) -> Sheet:
    def draw(canvas: Canvas) -> None:
        scheme = canvas.kit.scheme
        canvas.shape(
            "panel",
            box,
            fill_color=scheme.surface,
            paras=[para(text, size, bold=True)],
            anchor="ctr",
            insets=(20, 4, 20, 4),
        )
        canvas.shape("accent", box.left(6), fill_color=scheme.brand)
        sheet.draw(canvas)

    return Sheet(draw, sheet.left_out)
