"""The schedule: time axis, one row per phase, bars as native shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.proposals.model import Phase, Schedule, Slide
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.geometry import Box
from apps.proposals.render.items import balanced_chunks
from apps.proposals.render.layouts.base import LEAST, Sheet, shortened
from apps.proposals.render.text import Para, para, sizes

HEAD = 30.0
ROW_LEAST, ROW_MOST = 38.0, 62.0


@dataclass(frozen=True)
class Axis:
    """Where the time axis lies: labels left of ``x``, columns of ``step`` points."""

    area: Box
    label: float
    columns: Sequence[str]

    @property
    def x(self) -> float:
        return self.area.x + self.label

    @property
    def step(self) -> float:
        return (self.area.w - self.label) / max(len(self.columns), 1)

    def span(self, phase: Phase, y: float, height: float) -> Box:
        inset = 2.0
        width = (phase.end - phase.start + 1) * self.step
        return Box(self.x + phase.start * self.step + inset, y, width - 2 * inset, height)


def inside(kit: Kit, schedule: Schedule, slide: str) -> list[Phase]:
    """Phases with their ends in order and within the axis; what was moved is reported."""
    last = max(len(schedule.columns) - 1, 0)
    out = []
    for phase in schedule.phases:
        low, high = sorted((phase.start, phase.end))
        start, end = min(max(low, 0), last), min(max(high, 0), last)
        if (start, end) != (phase.start, phase.end):
            kit.tell("render.schedule_data", "warn", slide, phase.name)
        out.append(phase.model_copy(update={"start": start, "end": end}))
    return out


def schedule(kit: Kit, slide: Slide, area: Box, plan: Schedule) -> list[Sheet]:
    """As many phases a slide as rows of readable height allow."""
    phases = inside(kit, plan, slide.id)
    most = max(int((area.h - HEAD - 6) / (ROW_LEAST + 4)), 1)
    chunks = balanced_chunks(phases, -(-len(phases) // most)) if phases else [[]]
    return [_sheet(kit, plan, chunk, area, slide.id) for chunk in chunks]


def _sheet(kit: Kit, plan: Schedule, phases: Sequence[Phase], area: Box, slide: str) -> Sheet:
    axis = Axis(area, min(area.w * 0.24, 200.0), plan.columns)
    height = min((area.h - HEAD - 6) / max(len(phases), 1), ROW_MOST)
    left_out: list[str] = []
    size = next((s for s in sizes(15, LEAST) if all(_name_fits(kit, p, axis, height, s) for p in phases)), LEAST)
    names = []
    for phase in phases:
        text = shortened(phase.name, axis.label - 16, height - 6, size, kit, bold=True)
        if text != phase.name:
            left_out.append(phase.name)
            kit.tell("render.shortened", "warn", slide, phase.name[:20])
        names.append(text)

    def draw(canvas: Canvas) -> None:
        _head(canvas, axis)
        for number, (phase, name) in enumerate(zip(phases, names, strict=True)):
            top = area.y + HEAD + 6 + number * height
            _row(canvas, axis, phase, name, Box(area.x, top, area.w, height), size, number)

    return Sheet(draw, left_out)


def _name_fits(kit: Kit, phase: Phase, axis: Axis, height: float, size: float) -> bool:
    return kit.height([para(phase.name, size, bold=True, spacing=1.13)], axis.label - 16) <= height - 6


def _head(canvas: Canvas, axis: Axis) -> None:
    """Labels of the time axis; where they are many, only as many as can be read."""
    kit = canvas.kit
    scheme = kit.scheme
    widest = max([kit.face.width(c, 12, bold=True) for c in axis.columns], default=0.0)
    every = max(-(-int(widest + 8) // max(int(axis.step), 1)), 1)
    canvas.shape(
        "head",
        Box(axis.area.x, axis.area.y, axis.label - 4, HEAD),
        fill_color=scheme.brand,
        anchor="ctr",
        paras=[para(kit.label("phase"), 12, bold=True, align="ctr", color=scheme.on_brand, spacing=1.0)],
    )
    for number in range(0, len(axis.columns), every):
        width = axis.step * min(every, len(axis.columns) - number)
        cell = Box(axis.x + number * axis.step + 1, axis.area.y, width - 2, HEAD)
        text = para(axis.columns[number], 12, bold=True, align="ctr", color=scheme.on_brand, spacing=1.0)
        canvas.shape("head", cell, fill_color=scheme.brand, paras=[text], anchor="ctr")


def _row(canvas: Canvas, axis: Axis, phase: Phase, name: str, row: Box, size: float, number: int) -> None:
    kit, scheme = canvas.kit, canvas.kit.scheme
    canvas.text(
        Box(row.x + 4, row.y + 2, axis.label - 12, row.h - 4), [para(name, size, bold=True, spacing=1.13)], anchor="ctr"
    )
    bar = axis.span(phase, row.y + row.h * 0.2, row.h * 0.6)
    color = scheme.accent if number % 2 == 0 else scheme.brand
    inner = _detail(kit, phase.detail, bar.w - 26, bar.h)
    label = [para(p.text, p.size, align="ctr", color=scheme.on(color), spacing=1.0) for p in inner]
    canvas.shape(
        "bar",
        bar,
        form="homePlate",
        fill_color=color,
        paras=label,
        anchor="ctr",
        adjust={"adj": 30000},
        insets=(8, 1, 14, 1),
    )
    if phase.detail and not inner:
        _beside(canvas, axis, phase, bar, row)
    canvas.rule(row.x, row.bottom, row.right, row.bottom)


def _detail(kit: Kit, text: str, width: float, height: float) -> list[Para]:
    """The detail in the bar where it fits on it."""
    if not text or width < 30:
        return []
    for size in sizes(13, LEAST):
        made = [para(text, size, spacing=1.0)]
        if kit.height(made, width) <= height - 2:
            return made
    return []


def _beside(canvas: Canvas, axis: Axis, phase: Phase, bar: Box, row: Box) -> None:
    """The detail right of the bar, or left of it where there is more room."""
    kit = canvas.kit
    right, left = row.right - bar.right - 8, bar.x - axis.x - 8
    room = max(right, left)
    text = shortened(phase.detail, room, row.h - 4, LEAST, kit) if room > 40 else ""
    if not text:
        return
    x = bar.right + 6 if right >= left else axis.x + 2
    align = "l" if right >= left else "r"
    canvas.text(Box(x, row.y + 2, room, row.h - 4), [para(text, LEAST, align=align, spacing=1.0)], anchor="ctr")
