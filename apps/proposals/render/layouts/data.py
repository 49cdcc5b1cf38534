"""Slides with a chart, a table or a schedule, and the text that goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from apps.proposals.model import Chart, Schedule, Slide, Table
from apps.proposals.render import charts, tables
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.geometry import Box
from apps.proposals.render.items import items_of
from apps.proposals.render.layouts import gantt
from apps.proposals.render.layouts.base import (
    COMFORT,
    GAP,
    LEAST,
    Planner,
    Sheet,
    body_texts,
    draw_strip,
    has_data,
    shortened,
    strip_height,
    strip_paras,
    with_lead,
)
from apps.proposals.render.layouts.cards import card_forms, draw_figures, plan, proposal
from apps.proposals.render.layouts.flows import case
from apps.proposals.render.measure import PITCH
from apps.proposals.render.text import SPACING, Para, para, sizes

OWN_SUBTITLE: tuple[Planner, ...] = (proposal, case)


def data_slide(fallback: Planner) -> Planner:
    """Every visual of the slide on sheets of their own, the body beside or below the first; else the fallback.

    The subtitle stands over all of it, except where the fallback has its own place for it.
    """

    def planner(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
        if has_data(slide) or fallback not in OWN_SUBTITLE:
            return with_lead(kit, slide, area, lambda box: visuals(kit, slide, box))
        return visuals(kit, slide, area)

    def visuals(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
        sheets: list[Sheet] = []
        texts = body_texts(slide)
        if slide.chart is not None and (plotted := charts.prepare(kit, slide.chart, slide.id)) is not None:
            sheets += _chart(kit, slide, area, slide.chart, plotted, texts)
            texts = []
        if slide.table is not None and (slide.table.rows or slide.table.columns):
            sheets += _table(kit, slide, area, slide.table, texts)
            texts = []
        if slide.schedule is not None and slide.schedule.phases:
            sheets += _schedule(kit, slide, area, slide.schedule, texts)
            texts = []
        if not sheets:
            return fallback(kit, slide, area)
        return sheets

    return planner


# ---- chart -----------------------------------------------------------------------------------------------------------


def _chart(
    kit: Kit, slide: Slide, area: Box, chart: Chart, plotted: charts.Plotted, texts: Sequence[str]
) -> list[Sheet]:
    """Chart at the left, key points in a panel at the right; alone it takes the whole width."""
    if not texts and not slide.figures:
        return [Sheet(lambda canvas: charts.draw_chart(canvas, area, chart, plotted))]
    if area.w < 600 or (texts and _panel_size(kit, slide, area.w * 0.34, area.h, texts) is None):
        return _chart_over_text(kit, slide, area, chart, plotted, texts)
    left, right = area.left(area.w * 0.64), area.beside(area.w * 0.64 + 20)
    size = _panel_size(kit, slide, right.w, right.h, texts) or LEAST

    def draw(canvas: Canvas) -> None:
        charts.draw_chart(canvas, left, chart, plotted)
        _panel(canvas, slide, right, texts, size)

    return [Sheet(draw)]


PANEL_HEAD = 40.0
FIGURE_ROW = 84.0


def _panel_room(slide: Slide, height: float) -> float:
    return height - len(slide.figures[:3]) * (FIGURE_ROW + 8) - PANEL_HEAD - 18


def _panel_size(kit: Kit, slide: Slide, width: float, height: float, texts: Sequence[str]) -> float | None:
    room = _panel_room(slide, height)
    return next((s for s in sizes(16, LEAST) if kit.height(_points(kit, texts, s), width - 36) <= room), None)


def _points(kit: Kit, texts: Sequence[str], size: float) -> list[Para]:
    paras = strip_paras(kit, texts, size, kit.scheme.surface)
    return [replace(p, before=size * 0.6 if n else 0) for n, p in enumerate(paras)]


def _panel(canvas: Canvas, slide: Slide, box: Box, texts: Sequence[str], size: float) -> None:
    kit, scheme = canvas.kit, canvas.kit.scheme
    y = box.y
    for figure in slide.figures[:3]:
        draw_figures(canvas, Box(box.x, y, box.w, FIGURE_ROW), [figure], slide.id)
        y += FIGURE_ROW + 8
    if not texts:
        return
    rest = Box(box.x, y, box.w, box.bottom - y)
    head = para(kit.label("points"), 14, bold=True, color=scheme.accent_on_surface)
    needed = kit.height(_points(kit, texts, size), box.w - 36) + PANEL_HEAD + 30
    rest = rest.top(min(rest.h, max(needed, rest.h * 0.55)))
    canvas.shape(
        "card", rest, fill_color=scheme.surface, paras=_points(kit, texts, size), insets=(18, PANEL_HEAD, 18, 10)
    )
    canvas.shape("accent", rest.top(4), fill_color=scheme.accent)
    canvas.text(Box(rest.x + 18, rest.y + 12, rest.w - 36, 22), [head], name="head")


def _chart_over_text(
    kit: Kit, slide: Slide, area: Box, chart: Chart, plotted: charts.Plotted, texts: Sequence[str]
) -> list[Sheet]:
    return _with_strip(
        kit, slide, area, texts, 0.6, lambda box: [Sheet(lambda canvas: charts.draw_chart(canvas, box, chart, plotted))]
    )


# ---- strips below ----------------------------------------------------------------------------------------------------


def _with_strip(
    kit: Kit, slide: Slide, area: Box, texts: Sequence[str], keep: float, visual: Callable[[Box], list[Sheet]]
) -> list[Sheet]:
    """The visual on top, key figures and the texts in a strip below; texts that do not fit get a sheet of their own.

    ``keep``: share of the area's height that the visual is left at least.
    """
    figures = slide.figures[:4]
    room = area.h * (1 - keep) - (GAP + 84 if figures else 0)
    size = next((s for s in sizes(16, LEAST) if texts and strip_height(kit, texts, area.w, s) <= room), None)
    foot = strip_height(kit, texts, area.w, size) if texts and size else 0.0
    below = (foot + GAP if foot else 0.0) + (84 + GAP if figures else 0.0)
    sheets = visual(area.above(below))

    def draw(canvas: Canvas) -> None:
        first.draw(canvas)
        if figures:
            draw_figures(canvas, Box(area.x, area.bottom - below + GAP, area.w, 84), figures, slide.id)
        if foot:
            draw_strip(canvas, area.foot(foot), texts, size or COMFORT)

    first = sheets[0] if len(sheets) == 1 else sheets[-1]
    placed = [draw_sheet if draw_sheet is not first else Sheet(draw, first.left_out) for draw_sheet in sheets]
    if texts and not foot:
        placed += plan(kit, items_of(slide.body, kit.language), area, card_forms(area, "number"), slide=slide.id)
    return placed


# ---- table -----------------------------------------------------------------------------------------------------------


def _table(kit: Kit, slide: Slide, area: Box, table: Table, texts: Sequence[str]) -> list[Sheet]:
    unit = 20.0 if table.unit else 0.0
    least = 10.0 if slide.kind == "appendix" else LEAST
    grid = tables.prepare(kit, table, slide.id, highlight=slide.kind in ("comparison", "proposal"))

    def visual(box: Box) -> list[Sheet]:
        room = box.below(unit)
        return [_table_sheet(kit, slide, box, part, room, least) for part in tables.split(kit, grid, room, least)]

    def one_page(strip: Sequence[str]) -> bool:
        return len(_with_strip(kit, slide, area, strip, 0.55, visual)) == 1

    mark = len(kit.findings)
    if texts and not one_page(texts) and one_page([]):
        del kit.findings[mark:]
        rest = plan(kit, items_of(slide.body, kit.language), area, card_forms(area, "number"), slide=slide.id)
        return [*visual(area), *rest]
    del kit.findings[mark:]
    return _with_strip(kit, slide, area, texts, 0.55, visual)


def _table_sheet(kit: Kit, slide: Slide, box: Box, grid: tables.Grid, room: Box, least: float) -> Sheet:
    layout = tables.fitted(kit, grid, room, least)
    left_out: list[str] = []
    if layout is None:
        grid, layout, left_out = _cut_cells(kit, slide, grid, room, least)
    title = slide.title

    def draw(canvas: Canvas) -> None:
        if slide.table is not None and slide.table.unit:
            text = [para(kit.label("unit", slide.table.unit), LEAST, align="r", spacing=1.0, color=kit.scheme.muted)]
            canvas.text(box.top(18), text, name="unit", anchor="b")
        tables.draw_table(canvas, room, grid, layout, title)

    return Sheet(draw, left_out)


def _cut_cells(
    kit: Kit, slide: Slide, grid: tables.Grid, room: Box, least: float
) -> tuple[tables.Grid, tables.Layout, list[str]]:
    """A row higher than the slide: columns of equal width, cells shortened, their full text in the notes."""
    wide = room.w / len(grid.columns)
    width = wide - tables.PAD_X - tables.PAD_RIGHT
    line = least * PITCH * SPACING
    head = min(3 * line, 0.3 * room.h)
    high = max((room.h - head - 2 * tables.PAD_Y) / max(len(grid.rows), 1) - 2 * tables.PAD_Y, line)
    left_out: list[str] = []

    def cut(text: str, space: float) -> str:
        short = shortened(text, width, space, least, kit, bold=True)
        if short != text:
            left_out.append(text)
            kit.tell("render.shortened", "warn", slide.id, text[:20])
        return short

    columns = [cut(text, head) for text in grid.columns]
    rows = [[cut(cell, high) for cell in row] for row in grid.rows]
    made = tables.graded(columns, rows, highlight=grid.ours is not None)
    found = [wide] * len(columns)
    return made, tables.Layout(found, tables.heights(kit, made, found, least), least), left_out


# ---- schedule --------------------------------------------------------------------------------------------------------


def _schedule(kit: Kit, slide: Slide, area: Box, found: Schedule, texts: Sequence[str]) -> list[Sheet]:
    return _with_strip(kit, slide, area, texts, 0.6, lambda box: gantt.schedule(kit, slide, box, found))
