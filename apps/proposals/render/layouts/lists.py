"""Agenda, risks with responses, notices."""

from __future__ import annotations

from collections.abc import Sequence

from apps.proposals.model import Slide
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.geometry import Box
from apps.proposals.render.items import Item, exploded, items_of, paginate
from apps.proposals.render.layouts.base import COMFORT, LEAST, Sheet, item_paras
from apps.proposals.render.layouts.cards import Form, general, plan
from apps.proposals.render.text import Para, para, sizes

NOTICE_LEAST = 10.0  # pt; notices stay readable


# ---- agenda ----------------------------------------------------------------------------------------------------------


def agenda_items(kit: Kit, slide: Slide) -> list[Item]:
    """The body, or, where it is empty, the titles of the slides that follow."""
    items = items_of(slide.body, kit.language)
    if items:
        return items
    skip = {"title", "agenda", "notes", "appendix"}
    return [Item("", (s.title,)) for s in kit.deck.slides if s.kind not in skip and s.title]


def agenda_form(area: Box, columns: int) -> Form:
    def cells(box: Box, n: int) -> list[Box]:
        per = -(-max(n, 1) // columns)
        height = min(64.0, (box.h - 6 * (per - 1)) / per)
        sides = box.columns([1] * columns, 40)
        return [
            Box(sides[i // per].x, box.y + (i % per) * (height + 6), sides[i // per].w, height)
            for i in range(max(n, 1))
        ]

    def inner(cell: Box) -> Box:
        return Box(cell.x + 66, cell.y + 4, cell.w - 74, cell.h - 8)

    def draw(canvas: Canvas, cell: Box, item: Item, number: int, size: float, _: float) -> None:
        scheme = canvas.kit.scheme
        label = [para(f"{number:02d}", min(24.0, cell.h * 0.5), bold=True, color=scheme.accent_text, spacing=1.0)]
        canvas.text(Box(cell.x + 4, cell.y + 4, 54, cell.h - 8), label, name="number", anchor="ctr")
        canvas.text(inner(cell), _agenda_paras(canvas.kit, item, size), anchor="ctr")
        canvas.rule(cell.x, cell.bottom + 3, cell.right, cell.bottom + 3)

    return Form(cells, inner, draw, most=7 * columns, paras=_agenda_paras, hug=False)


def _agenda_paras(kit: Kit, item: Item, size: float) -> list[Para]:
    """One line of plain weight; a head, if any, in bold above its detail."""
    if not item.head:
        return [para(item.details[0], size)]
    return item_paras(kit, item, size, head_plus=0)


def agenda(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
    forms = [agenda_form(area, 1), *([agenda_form(area, 2)] if area.w > 600 else [])]
    items = agenda_items(kit, slide)
    return plan(kit, items, area, forms if len(items) <= 7 else forms[::-1], slide=slide.id, most=20)


# ---- risks -----------------------------------------------------------------------------------------------------------


def risks(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
    """Risk and response side by side where each item has both, else cards."""
    items = items_of(slide.body, kit.language)
    if not items or not all(item.head and item.details for item in items):
        return general(kit, slide, area)
    strip = 26.0
    body = area.below(strip + 6)
    return [
        _with_heads(sheet, kit, area.top(strip)) for sheet in plan(kit, items, body, [risk_form(body)], slide=slide.id)
    ]


def _halves(box: Box) -> tuple[Box, Box]:
    left, right = box.columns([42, 58], 34)
    return left, right


def _with_heads(sheet: Sheet, kit: Kit, strip: Box) -> Sheet:
    def draw(canvas: Canvas) -> None:
        for box, key in zip(_halves(strip), ("risk", "response"), strict=True):
            color = kit.scheme.alert if key == "risk" else kit.scheme.brand
            label = [para(kit.label(key), 13, bold=True, align="ctr", color=kit.scheme.on(color), spacing=1.0)]
            canvas.shape("head", box, fill_color=color, paras=label, anchor="ctr")
        sheet.draw(canvas)

    return Sheet(draw, sheet.left_out)


def risk_form(area: Box) -> Form:
    """The response decides the height; the head sits in the left half and is measured there too."""

    def cells(box: Box, n: int) -> list[Box]:
        return box.rows([1] * max(n, 1), 8)

    def inner(cell: Box) -> Box:
        return _halves(cell)[1].inset(16, 8)

    def paras(kit: Kit, item: Item, size: float) -> list[Para]:
        """Whichever half is higher: the head is measured at the width of the right half, scaled to its own."""
        left, right = (half.w for half in _halves(area))
        head = [para(item.head, size, bold=True)]
        body = item_paras(kit, Item("", item.details), size, ground=kit.scheme.surface)
        high = kit.height(head, left - 32)
        return (
            body
            if kit.height(body, right - 32) >= high
            else [*body, *_padding(high - kit.height(body, right - 32), size)]
        )

    def draw(canvas: Canvas, cell: Box, item: Item, number: int, size: float, _: float) -> None:
        scheme, kit = canvas.kit.scheme, canvas.kit
        left, right = _halves(cell)
        head = [para(item.head, size, bold=True)]
        canvas.shape("card", left, fill_color=scheme.surface, paras=head, anchor="ctr", insets=(20, 8, 12, 8))
        canvas.shape("accent", left.left(4), fill_color=scheme.alert)
        arrow = Box(left.right + 8, cell.y + cell.h / 2 - 9, 18, 18)
        canvas.shape("arrow", arrow, form="rightArrow", fill_color=scheme.accent)
        body = item_paras(kit, Item("", item.details), size, ground=scheme.surface)
        canvas.shape("card", right, fill_color=scheme.surface, paras=body, anchor="ctr", insets=(16, 8, 16, 8))

    return Form(cells, inner, draw, most=6, paras=paras)


def _padding(points: float, size: float) -> list[Para]:
    """Empty lines that stand for height taken elsewhere."""
    lines = max(round(points / (size * 1.3)), 1)
    return [para("", size)] * lines


# ---- notices ---------------------------------------------------------------------------------------------------------


def notices(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
    """Every notice in full, in two columns where they are many; at least 10 pt, split rather than shrunk."""
    items = items_of(slide.body, kit.language)
    items = [Item("", tuple(filter(None, (item.head, *item.details)))) if not item.details else item for item in items]
    columns = 2 if area.w > 600 and sum(i.length for i in items) > 260 else 1

    def good(group: Sequence[Item], size: float) -> bool:
        return all(
            kit.height(_notice_paras(kit, part, size), box.w) <= box.h
            for part, box in _in_columns(kit, group, area, columns, size)
        )

    ready = list(exploded(items, lambda item: good([item], LEAST), kit.label("continued")))
    steps = sizes(COMFORT + 1, LEAST)
    pages = paginate(ready, lambda group: good(group, LEAST))
    one_page = next((s for s in sizes(LEAST, NOTICE_LEAST) if len(pages) > 1 and good(ready, s)), None)
    if one_page:
        pages = [list(ready)]
        steps = [one_page]
    sheets = []
    for group in pages:
        size = next((s for s in steps if good(group, s)), steps[-1])
        sheets.append(_notice_sheet(kit, group, area, columns, size))
    return sheets


def _in_columns(kit: Kit, group: Sequence[Item], area: Box, columns: int, size: float) -> list[tuple[list[Item], Box]]:
    """The items dealt into columns of similar height, in order."""
    boxes = area.inset(0, 4).columns([1] * columns, 36)
    if columns == 1 or len(group) < 2:
        return [(list(group), boxes[0])]
    heights = [kit.height(_notice_paras(kit, [item], size), boxes[0].w) for item in group]
    cuts = range(1, len(group))
    cut = min(cuts, key=lambda n: max(sum(heights[:n]), sum(heights[n:])))
    return [(list(group[:cut]), boxes[0]), (list(group[cut:]), boxes[1])]


def _notice_paras(kit: Kit, items: Sequence[Item], size: float) -> list[Para]:
    paras: list[Para] = []
    for item in items:
        texts = [item.head, *item.details] if item.head else list(item.details)
        for position, text in enumerate(texts):
            lead = position == 0
            paras.append(
                para(
                    text,
                    size,
                    bold=bool(item.head) and lead,
                    before=size * (0.6 if lead else 0.15),
                    indent=size * 1.3,
                    bullet="■" if lead else "",
                    bullet_color=kit.scheme.accent if lead else None,
                )
            )
    return paras


def _notice_sheet(kit: Kit, group: Sequence[Item], area: Box, columns: int, size: float) -> Sheet:
    parts = _in_columns(kit, group, area, columns, size)

    def draw(canvas: Canvas) -> None:
        for items, box in parts:
            canvas.text(box, _notice_paras(kit, items, size), name="notice")
        if len(parts) == 2:
            middle = (parts[0][1].right + parts[1][1].x) / 2
            high = max(kit.height(_notice_paras(kit, items, size), box.w) for items, box in parts)
            canvas.rule(middle, area.y + 6, middle, area.y + 6 + high)

    return Sheet(draw)


NOTICE_SIZE = 11.0


def notice_height(kit: Kit, texts: Sequence[str], width: float, size: float = NOTICE_SIZE) -> float:
    return kit.height(_strip(kit, texts, size), width - 24) + 14


def draw_notice(canvas: Canvas, box: Box, texts: Sequence[str], size: float = NOTICE_SIZE) -> None:
    """Notices beside the benefit they qualify: framed, never smaller than 10 pt."""
    kit = canvas.kit
    canvas.shape(
        "notice", box, line=kit.scheme.muted, paras=_strip(kit, texts, size), anchor="ctr", insets=(12, 6, 12, 6)
    )


def _strip(kit: Kit, texts: Sequence[str], size: float) -> list[Para]:
    head = kit.label("notice") + ("：" if kit.language == "ja" else ": ")
    return [
        para((head if not number else "") + text, size, before=2 if number else 0) for number, text in enumerate(texts)
    ]
