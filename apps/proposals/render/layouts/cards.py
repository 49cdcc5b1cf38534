"""Cards, rows and figures: summary, issues, proposal, risks and every list that has no form of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from apps.proposals.model import Figure, Slide
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.geometry import Box
from apps.proposals.render.items import Item, exploded, items_of, paginate
from apps.proposals.render.layouts.base import (
    GAP,
    LEAST,
    MOST,
    Sheet,
    badge,
    comfortable,
    item_paras,
    shortened,
    tight,
    with_lead,
)
from apps.proposals.render.measure import MARGIN, wrap
from apps.proposals.render.text import FIGURE, SPACING, Para, balanced, para, sizes


@dataclass(frozen=True)
class Form:
    """How a group of items is placed: cells for n items, room for text in a cell, and how one is drawn."""

    cells: Callable[[Box, int], list[Box]]
    inner: Callable[[Box], Box]
    draw: Callable[[Canvas, Box, Item, int, float, float], None]  # canvas, cell, item, number, size, needed height
    most: int
    paras: Callable[[Kit, Item, float], list[Para]] = item_paras
    hug: bool = True  # cells shrink to their text


def plan(
    kit: Kit, items: Sequence[Item], area: Box, forms: Sequence[Form], *, slide: str, most: float = MOST
) -> list[Sheet]:
    """Place the items by the first form and size that fits them all; else split; else cut and shrink."""

    def needed(form: Form, item: Item, size: float, cell: Box) -> float:
        return kit.height(form.paras(kit, item, size), form.inner(cell).w)

    def good(form: Form, group: Sequence[Item], size: float) -> bool:
        cells = form.cells(area, len(group))
        return len(group) <= form.most and all(
            needed(form, item, size, cell) <= form.inner(cell).h for item, cell in zip(group, cells, strict=True)
        )

    def best(group: Sequence[Item], steps: Sequence[float]) -> tuple[Form, float] | None:
        return next(((form, size) for size in steps for form in forms if good(form, group, size)), None)

    last = forms[-1]
    ready = list(exploded(items, lambda item: best([item], [LEAST]) is not None, kit.label("continued")))
    short = sum(item.length for item in ready) < 30 * max(len(ready), 1)
    steps = comfortable(max(most, 20.0) if short else most)
    pages = paginate(ready, lambda group: best(group, steps) is not None)
    if len(pages) > 1:  # one page a little smaller beats two pages half empty
        small = paginate(ready, lambda group: best(group, [*steps, *tight()]) is not None)
        pages = small if len(small) < len(pages) and sum(i.length for i in ready) < 420 else pages
    sheets, number = [], 1
    for group in pages:
        form, size = best(group, [*steps, *tight()]) or (last, LEAST)
        size = _without_orphans(kit, group, area, form, size)
        if size < steps[-1]:
            kit.tell("render.shrunk", "info", slide, ready[0].head or slide, size)
        sheets.append(_sheet(kit, group, area, form, size, number, slide))
        number += len(group)
    return sheets


def _without_orphans(kit: Kit, group: Sequence[Item], area: Box, form: Form, size: float) -> float:
    """One or two points smaller where that saves last lines of three characters or fewer."""

    def orphans(at: float) -> int:
        count = 0
        for item, cell in zip(group, form.cells(area, len(group)), strict=True):
            for paragraph in form.paras(kit, item, at):
                bold = paragraph.bold or any(span.bold for span in paragraph.spans)
                width = form.inner(cell).w - paragraph.indent
                lines = wrap(paragraph.text, width, paragraph.size, kit.face, bold=bold)
                count += len(lines) > 1 and len(lines[-1]) <= 3
        return count

    options = [s for s in (size, size - 1, size - 2) if s == size or s >= 15]
    return min(options, key=lambda s: (orphans(s), -s))


def _sheet(kit: Kit, group: Sequence[Item], area: Box, form: Form, size: float, first: int, slide: str) -> Sheet:
    cells = form.cells(area, len(group))
    shown, left_out = [], []
    for item, cell in zip(group, cells, strict=True):
        kept = _trimmed(kit, item, form, form.inner(cell), size)
        if kept != item:
            kit.tell("render.shortened", "warn", slide, (item.head or item.details[0])[:20])
            left_out.append("\n".join([item.head, *item.details]).strip())
        shown.append(kept)
    heights = [
        kit.height(form.paras(kit, item, size), form.inner(cell).w) for item, cell in zip(shown, cells, strict=True)
    ]
    if form.hug:
        cells = _hugged(area, cells, [h + cell.h - form.inner(cell).h for h, cell in zip(heights, cells, strict=True)])

    def draw(canvas: Canvas) -> None:
        for offset, (item, cell) in enumerate(zip(shown, cells, strict=True)):
            form.draw(canvas, cell, item, first + offset, size, heights[offset])

    return Sheet(draw, left_out)


def _trimmed(kit: Kit, item: Item, form: Form, inner: Box, size: float) -> Item:
    """An item that cannot fit even alone: details are cut, then the head."""
    if kit.height(form.paras(kit, item, size), inner.w) <= inner.h:
        return item
    head = (
        shortened(item.head, inner.w, inner.h * (0.5 if item.details else 1), size + 2, kit, bold=True)
        if item.head
        else ""
    )
    details: list[str] = []
    for detail in item.details:
        room = inner.h - kit.height(form.paras(kit, Item(head, tuple(details)), size), inner.w) - size * 0.5
        if room < size * 1.4:
            break
        details.append(shortened(detail, inner.w - size, room, size, kit, bold=True))
    return Item(head, tuple(details))


def _hugged(area: Box, cells: list[Box], needed: list[float]) -> list[Box]:
    """Rows of cells as high as their fullest cell needs plus air, spread evenly, never beyond the area."""
    tops = sorted({round(cell.y, 2) for cell in cells})
    wanted = []
    for top in tops:
        row = [(n, cell) for n, cell in zip(needed, cells, strict=True) if round(cell.y, 2) == top]
        wanted.append(max(n for n, _ in row))
    gaps = [b - a for a, b in pairwise(tops)]
    gap = (gaps[0] - cells[0].h) if gaps else 0.0
    room = area.h - gap * (len(tops) - 1)
    air = max(room - sum(wanted), 0)
    share = min(air * 0.8 / len(tops), 44.0)
    heights = [w + share for w in wanted]
    floor = 0.66 * room if len(tops) == 1 else 0.0
    heights = [max(h, floor) for h in heights]
    placed = {}
    y = area.y
    for top, height in zip(tops, heights, strict=True):
        placed[top] = (y, height)
        y += height + gap
    return [Box(c.x, placed[round(c.y, 2)][0], c.w, placed[round(c.y, 2)][1]) for c in cells]


# ---- forms -----------------------------------------------------------------------------------------------------------


def _card_paras(kit: Kit, item: Item, size: float) -> list[Para]:
    return item_paras(kit, item, size, ground=kit.scheme.surface)


def _phrased(canvas: Canvas, paras: list[Para], item: Item, width: float) -> list[Para]:
    """The head of a card broken at phrase ends."""
    kit = canvas.kit
    if not item.head:
        return paras
    head = paras[0]
    text = balanced(item.head, width, head.size, kit.face, bold=True, language=kit.language)
    return [para(text, head.size, bold=True, color=head.color), *paras[1:]]


def column_form(area: Box, count: int, *, icon: str) -> Form:
    """Cards side by side: accent line, number or mark, head, details."""
    mark = 34.0

    def cells(box: Box, n: int) -> list[Box]:
        return box.columns([1] * max(n, 1), GAP)

    def inner(cell: Box) -> Box:
        return Box(cell.x + 18, cell.y + 18 + mark + 10, cell.w - 36, cell.h - 18 - mark - 10 - 14)

    def draw(canvas: Canvas, cell: Box, item: Item, number: int, size: float, _: float) -> None:
        scheme = canvas.kit.scheme
        paras = _phrased(canvas, _card_paras(canvas.kit, item, size), item, inner(cell).w)
        room = inner(cell)
        insets = (room.x - cell.x, room.y - cell.y, cell.right - room.right, cell.bottom - room.bottom)
        canvas.shape("card", cell, fill_color=scheme.surface, paras=paras, insets=insets)
        canvas.shape("accent", cell.top(4), fill_color=scheme.accent if icon != "alert" else scheme.alert)
        spot = Box(cell.x + 18, cell.y + 18, mark, mark)
        if icon == "alert":
            _alert(canvas, spot)
        else:
            badge(canvas, spot, str(number))

    return Form(cells, inner, draw, most=4 if area.w / 4 > 180 else 3, paras=_card_paras)


def _alert(canvas: Canvas, spot: Box) -> None:
    scheme = canvas.kit.scheme
    label = para("!", spot.h * 0.5, bold=True, align="ctr", spacing=1.0, color=scheme.on(scheme.alert))
    canvas.shape("number", spot, form="ellipse", fill_color=scheme.alert, paras=[label], anchor="ctr")


def grid_form(area: Box, *, icon: str) -> Form:
    """Two or three cards a row, the mark left of the text."""
    across = 3 if area.w > 780 else 2

    def cells(box: Box, n: int) -> list[Box]:
        wide = 2 if n <= 4 else across
        return box.grid(wide, -(-max(n, 1) // wide), GAP)[: max(n, 1)]

    def inner(cell: Box) -> Box:
        return Box(cell.x + 62, cell.y + 14, cell.w - 76, cell.h - 28)

    def draw(canvas: Canvas, cell: Box, item: Item, number: int, size: float, _: float) -> None:
        scheme = canvas.kit.scheme
        paras = _phrased(canvas, _card_paras(canvas.kit, item, size), item, inner(cell).w)
        canvas.shape("card", cell, fill_color=scheme.surface, paras=paras, anchor="t", insets=(62, 14, 14, 14))
        canvas.shape("accent", cell.left(4), fill_color=scheme.accent if icon != "alert" else scheme.alert)
        spot = Box(cell.x + 18, cell.y + 14, 30, 30)
        if icon == "alert":
            _alert(canvas, spot)
        else:
            badge(canvas, spot, str(number))

    return Form(cells, inner, draw, most=6, paras=_card_paras)


def row_form(area: Box, *, lead: float = 46.0, most: int = 7) -> Form:
    """Full-width rows: number, head and details, hairlines between."""

    def cells(box: Box, n: int) -> list[Box]:
        return box.rows([1] * max(n, 1), 8)

    def inner(cell: Box) -> Box:
        return Box(cell.x + lead + 12, cell.y + 8, cell.w - lead - 16, cell.h - 16)

    def draw(canvas: Canvas, cell: Box, item: Item, number: int, size: float, _: float) -> None:
        scheme = canvas.kit.scheme
        height = min(36.0, cell.h - 10)
        badge(
            canvas,
            Box(cell.x + 4, cell.y + (cell.h - height) / 2, height, height),
            str(number),
            fill_color=scheme.brand,
        )
        canvas.text(inner(cell), item_paras(canvas.kit, item, size), anchor="ctr")
        canvas.rule(cell.x, cell.bottom + 4, cell.right, cell.bottom + 4)

    return Form(cells, inner, draw, most=most)


# ---- kinds -----------------------------------------------------------------------------------------------------------


def sole_figure(item: Item) -> str:
    """The figure of an item when it holds exactly one, else nothing."""
    found = FIGURE.findall(" ".join([item.head, *item.details]))
    return found[0].strip() if len(found) == 1 and len(found[0].strip()) <= 12 else ""


def figure_form(kit: Kit, area: Box, lead: float) -> Form:
    """Rows led by their figure in large type; items without one are led by a mark."""

    def draw(canvas: Canvas, cell: Box, item: Item, number: int, size: float, _: float) -> None:
        scheme = canvas.kit.scheme
        canvas.shape(
            "card",
            cell.left(lead),
            fill_color=scheme.surface,
            paras=_lead(canvas.kit, item, number, lead),
            anchor="ctr",
            insets=(10, 4, 10, 4),
        )
        canvas.shape("accent", cell.left(5), fill_color=scheme.accent)
        canvas.text(inner(cell), item_paras(canvas.kit, item, size), anchor="ctr")
        canvas.rule(cell.x + lead + 20, cell.bottom + 5, cell.right, cell.bottom + 5)

    def cells(box: Box, n: int) -> list[Box]:
        return box.rows([1] * max(n, 1), 10)

    def inner(cell: Box) -> Box:
        return Box(cell.x + lead + 20, cell.y + 6, cell.w - lead - 24, cell.h - 12)

    return Form(cells, inner, draw, most=5)


def _lead(kit: Kit, item: Item, number: int, width: float) -> list[Para]:
    color = kit.scheme.accent_on_surface
    text = sole_figure(item) or f"{number:02d}"
    size = next((s for s in sizes(30, 18) if kit.face.width(text, s, bold=True) <= (width - 24) * 0.95), 18.0)
    return [para(text, size, bold=True, align="ctr", color=color, spacing=1.0)]


def figure_paras(kit: Kit, figure: Figure, width: float, height: float) -> list[Para]:
    """The value as large as its label leaves room for; both are cut only when nothing else helps."""
    color = kit.scheme.accent_on_surface

    def made(value: str, label: str, size: float, small: float) -> list[Para]:
        return [
            para(value, size, bold=True, align="ctr", color=color, spacing=1.05),
            para(label, small, align="ctr", before=2, spacing=1.0),
        ]

    for size in sizes(34, 16):
        for small in (13.0, LEAST):
            one_line = kit.face.width(figure.value, size, bold=True) <= width * MARGIN
            if one_line and kit.height(made(figure.value, figure.label, size, small), width) <= height:
                return made(figure.value, figure.label, size, small)
    value = shortened(figure.value, width, 17.0, 16, kit, bold=True)
    room = height - kit.height([para(value, 16, bold=True, spacing=1.05)], width) - 2
    return made(value, shortened(figure.label, width, room * SPACING, LEAST, kit), 16, LEAST)


def draw_figures(canvas: Canvas, box: Box, figures: Sequence[Figure], slide: str) -> None:
    """Key-figure cards in a row: the value large, what it is below."""
    kit = canvas.kit
    for cell, figure in zip(box.columns([1] * len(figures), GAP), figures, strict=True):
        paras = figure_paras(kit, figure, cell.w - 20, cell.h - 14)
        if [p.text for p in paras] != [figure.value, figure.label]:
            kit.tell("render.shortened", "warn", slide, figure.label[:20])
            canvas.left_out.append(f"{figure.label}: {figure.value}")
        canvas.shape("figure", cell, fill_color=kit.scheme.surface, paras=paras, anchor="ctr", insets=(10, 5, 10, 9))
        canvas.shape("accent", cell.foot(4), fill_color=kit.scheme.accent)


FIGURES_HEIGHT = 104.0


def with_figures(kit: Kit, slide: Slide, area: Box, rest: Callable[[Box], list[Sheet]]) -> list[Sheet]:
    """The slide's key figures on top of its first sheet (at most five), then what ``rest`` plans below them."""
    figures = slide.figures[:5]
    if not figures:
        return rest(area)
    if not slide.body:
        height = min(180.0, area.h)
        return [Sheet(lambda canvas: draw_figures(canvas, area.top(height), figures, slide.id))]
    first, *others = rest(area.below(FIGURES_HEIGHT + GAP))

    def draw(canvas: Canvas) -> None:
        draw_figures(canvas, area.top(FIGURES_HEIGHT), figures, slide.id)
        first.draw(canvas)

    return [Sheet(draw, first.left_out), *others]


def summary(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
    items = items_of(slide.body, kit.language)

    def rest(box: Box) -> list[Sheet]:
        led = not slide.figures and sum(bool(sole_figure(item)) for item in items) >= max(2, len(items) - 1)
        forms = [figure_form(kit, box, 170 if box.w > 700 else 130)] if led else []
        return plan(kit, items, box, [*forms, row_form(box)], slide=slide.id)

    return with_figures(kit, slide, area, rest)


def issues(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
    items = items_of(slide.body, kit.language)
    return with_figures(kit, slide, area, lambda box: plan(kit, items, box, card_forms(box, "alert"), slide=slide.id))


def card_forms(box: Box, icon: str) -> list[Form]:
    return [column_form(box, 3, icon=icon), grid_form(box, icon=icon), row_form(box)]


def general(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
    items = items_of(slide.body, kit.language)
    return with_figures(kit, slide, area, lambda box: plan(kit, items, box, card_forms(box, "number"), slide=slide.id))


def proposal(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
    """With a subtitle: a panel that says the idea, steps beside it; else cards."""
    items = items_of(slide.body, kit.language)
    if not slide.subtitle or not items or area.w < 560:
        return with_lead(kit, slide, area, lambda box: general(kit, slide, box))
    panel, side = area.left(area.w * 0.3), area.beside(area.w * 0.3 + 28)
    size = next(
        (s for s in sizes(20, LEAST) if kit.height(_idea(kit, slide.subtitle, s), panel.w - 44) <= panel.h - 70), LEAST
    )
    text = shortened(slide.subtitle, panel.w - 44, panel.h - 70, size, kit, bold=True)

    def rest(box: Box) -> list[Sheet]:
        return plan(kit, items, box, [row_form(box), grid_form(box, icon="number")], slide=slide.id)

    sheets = with_figures(kit, slide, side, rest)
    if text != slide.subtitle:
        kit.tell("render.shortened", "warn", slide.id, slide.subtitle[:20])
        sheets[0].left_out.append(slide.subtitle)

    def with_panel(sheet: Sheet) -> Sheet:
        def draw(canvas: Canvas) -> None:
            canvas.shape(
                "panel",
                panel,
                fill_color=kit.scheme.brand,
                paras=_idea(kit, text, size),
                anchor="ctr",
                insets=(22, 30, 22, 30),
            )
            canvas.shape("accent", Box(panel.x + 22, panel.y + 28, 44, 4), fill_color=kit.scheme.on_brand)
            sheet.draw(canvas)

        return Sheet(draw, sheet.left_out)

    return [with_panel(sheet) for sheet in sheets]


def _idea(kit: Kit, text: str, size: float) -> list[Para]:
    return [para(text, size, bold=True, color=kit.scheme.on_brand)]
