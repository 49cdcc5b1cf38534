"""What every layout uses: sheets, strips of text, choosing a size, cutting what is too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from apps.proposals.model import Slide
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.color import Color
from apps.proposals.render.geometry import Box
from apps.proposals.render.items import Item
from apps.proposals.render.measure import MARGIN, PITCH, wrap
from apps.proposals.render.text import SPACING, Para, Span, emphasised, para, sizes

LEAST = 12.0  # pt, smallest body text
COMFORT = 14.0  # pt, below this a slide is rather split
MOST = 18.0
GAP = 16.0


@dataclass
class Sheet:
    """One output slide of a plan. ``left_out``: full texts of what was shortened, for the notes."""

    draw: Callable[[Canvas], None]
    left_out: list[str] = field(default_factory=list)


Planner = Callable[[Kit, Slide, Box], list[Sheet]]


def item_paras(
    kit: Kit,
    item: Item,
    size: float,
    *,
    ground: Color | None = None,
    head_color: Color | None = None,
    bullets: bool = False,
    head_plus: float = 2,
) -> list[Para]:
    """The head in bold, the details under it with their figures emphasised."""
    scheme = kit.scheme
    strong = (
        scheme.accent_on_surface
        if ground == scheme.surface
        else scheme.accent_text
        if ground is None
        else scheme.on(ground)
    )
    paras = [para(item.head, size + head_plus, bold=True, color=head_color)] if item.head else []
    marked = bullets or len(item.details) > 1
    for number, detail in enumerate(item.details):
        before = size * (0.45 if number or item.head else 0)
        mark = {"bullet": "•", "indent": size * 0.9, "bullet_color": strong} if marked else {}
        paras.append(para(emphasised(detail, strong), size, before=before, **mark))
    return paras


def comfortable(most: float = MOST) -> list[float]:
    return sizes(most, COMFORT)


def tight() -> list[float]:
    return sizes(COMFORT - 1, LEAST)


def shortened(text: str, width: float, room: float, size: float, kit: Kit, *, bold: bool = False) -> str:
    """The longest beginning of the text, with an ellipsis, that fits ``room`` points; the text itself if it fits."""
    most = max(int(room / (size * PITCH * SPACING)), 1)

    def fits(words: str) -> bool:
        return len(wrap(words, width, size, kit.face, bold=bold)) <= most

    if fits(text):
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle].rstrip() + "…") else (low, middle - 1)
    return text[:low].rstrip() + "…"


def strip_paras(kit: Kit, texts: Sequence[str], size: float, ground: Color | None) -> list[Para]:
    scheme = kit.scheme
    strong = scheme.accent_on_surface if ground is not None else scheme.accent_text
    many = len(texts) > 1
    return [
        para(
            emphasised(text, strong),
            size,
            before=size * 0.35 if number else 0,
            bullet="•" if many else "",
            indent=size * 0.9 if many else 0,
            bullet_color=strong,
        )
        for number, text in enumerate(texts)
    ]


def strip_height(kit: Kit, texts: Sequence[str], width: float, size: float) -> float:
    return kit.height(strip_paras(kit, texts, size, kit.scheme.surface), width - 36) + 20


def draw_strip(canvas: Canvas, box: Box, texts: Sequence[str], size: float) -> None:
    """A take-away: pale bar with an accent at its left."""
    kit = canvas.kit
    paras = strip_paras(kit, texts, size, kit.scheme.surface)
    canvas.shape("card", box, fill_color=kit.scheme.surface, paras=paras, anchor="ctr", insets=(20, 6, 14, 6))
    canvas.shape("accent", box.left(5), fill_color=kit.scheme.accent)


def has_data(slide: Slide) -> bool:
    return slide.chart is not None or slide.table is not None or slide.schedule is not None


def with_lead(kit: Kit, slide: Slide, area: Box, rest: Callable[[Box], list[Sheet]]) -> list[Sheet]:
    """The subtitle as a line over the content of every sheet; what ``rest`` plans stands below it."""
    if not slide.subtitle.strip():
        return rest(area)

    def lead(text: str, size: float) -> list[Para]:
        return [para(text, size, color=kit.scheme.muted, spacing=1.05)]

    limit = LEAST * PITCH * 1.05 * 3
    size = next((s for s in sizes(16, LEAST) if kit.height(lead(slide.subtitle, s), area.w) <= limit), LEAST)
    text = shortened(slide.subtitle, area.w, limit, size, kit)
    high = kit.height(lead(text, size), area.w)
    sheets = rest(area.below(high + 10))
    if text != slide.subtitle and sheets:
        kit.tell("render.shortened", "warn", slide.id, slide.subtitle[:20])
        sheets[0].left_out.append(slide.subtitle)

    def led(sheet: Sheet) -> Sheet:
        def draw(canvas: Canvas) -> None:
            canvas.text(area.top(high), lead(text, size))
            sheet.draw(canvas)

        return Sheet(draw, sheet.left_out)

    return [led(sheet) for sheet in sheets]


def badge(canvas: Canvas, box: Box, text: str, *, fill_color: Color | None = None) -> None:
    """A number in a filled circle, as large as fits on one line."""
    kit = canvas.kit
    color = fill_color or kit.scheme.brand
    inner = box.w * 0.707 * MARGIN  # the circle's text area
    size = min(box.h * 0.46, inner / max(kit.face.width(text, 1.0, bold=True), 0.01))
    label = para([Span(text)], size, bold=True, align="ctr", spacing=1.0, color=kit.scheme.on(color))
    canvas.shape("number", box, form="ellipse", fill_color=color, paras=[label], anchor="ctr")


def body_texts(slide: Slide) -> list[str]:
    return [block.text.strip() for block in slide.body if block.text.strip()]
