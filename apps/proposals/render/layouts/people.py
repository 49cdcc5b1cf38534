"""Charts of people: boxes by level, joined by connectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.proposals.model import Slide
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.geometry import Box
from apps.proposals.render.items import Item, tree_of
from apps.proposals.render.layouts.base import LEAST, Sheet
from apps.proposals.render.layouts.cards import general
from apps.proposals.render.text import balanced, para, sizes
from apps.proposals.render.xml import Element

ROW, RISE = 58.0, 40.0  # least height of a box and of the space for connectors, points
DEPTH = 3


@dataclass(frozen=True)
class Placed:
    item: Item
    box: Box
    level: int
    children: tuple[Placed, ...]


def leaves(item: Item) -> int:
    return sum(leaves(child) for child in item.children) or 1


def depth(items: Sequence[Item]) -> int:
    return 1 + max((depth(item.children) for item in items if item.children), default=0) if items else 0


def place(items: Sequence[Item], area: Box, scale: float, level: int = 0) -> list[Placed]:
    """Each item over the middle of its leaves."""
    out = []
    for item, column in zip(items, area.columns([leaves(i) for i in items], 14), strict=True):
        width = min(column.w, 260.0)
        box = Box(column.x + (column.w - width) / 2, area.y, width, ROW * scale)
        children = place(item.children, column.below((ROW + RISE) * scale), scale, level + 1) if item.children else []
        out.append(Placed(item, box, level, tuple(children)))
    return out


def flat(nodes: Sequence[Placed]) -> list[Placed]:
    return [n for node in nodes for n in (node, *flat(node.children))]


def team(kit: Kit, slide: Slide, area: Box) -> list[Sheet]:
    """An organisation chart where the body is a tree of short names, else cards."""
    tree = tree_of(slide.body)
    if (len(tree) == 1 and tree[0].children) or any(item.children for item in tree):
        roots = tree
    else:
        return general(kit, slide, area)
    high = depth(roots) * ROW + (depth(roots) - 1) * RISE
    if depth(roots) > DEPTH or high > area.h:
        return general(kit, slide, area)
    scale = min(area.h * 0.9 / high, 1.35)
    nodes = place(roots, Box(area.x, area.y + (area.h - high * scale) * 0.25, area.w, high * scale), scale)
    size = next((s for s in sizes(18, LEAST) if all(_fits(kit, n, s) for n in flat(nodes))), None)
    if size is None:
        return general(kit, slide, area)

    def draw(canvas: Canvas) -> None:
        _draw(canvas, nodes, size)

    return [Sheet(draw)]


def _fits(kit: Kit, node: Placed, size: float) -> bool:
    return (
        node.box.w > 70 and kit.height([para(node.item.head, size, bold=True, spacing=1.1)], node.box.w - 16) <= ROW - 8
    )


def _draw(canvas: Canvas, nodes: Sequence[Placed], size: float) -> list[Element]:
    """Boxes first, then the lines between them, so that reading order follows the people."""
    drawn = [_box(canvas, node, size) for node in nodes]
    for node, shape in zip(nodes, drawn, strict=True):
        below = _draw(canvas, node.children, size)
        for child, lower in zip(node.children, below, strict=True):
            start = (node.box.x + node.box.w / 2, node.box.bottom)
            canvas.elbow(shape, lower, start, (child.box.x + child.box.w / 2, child.box.y))
    return drawn


def _box(canvas: Canvas, node: Placed, size: float) -> Element:
    scheme, kit = canvas.kit.scheme, canvas.kit
    fill = (scheme.brand, scheme.surface, None)[min(node.level, 2)]
    color = scheme.on(fill) if fill else scheme.ink
    text = balanced(node.item.head, node.box.w - 16, size, kit.face, bold=True, language=kit.language)
    label = [para(text, size, bold=node.level < 2, align="ctr", color=color, spacing=1.1)]
    line = None if node.level == 0 else scheme.accent if node.level == 1 else scheme.muted
    return canvas.shape(
        "box", node.box, fill_color=fill, line=line, line_width=1.25, paras=label, anchor="ctr", insets=(8, 4, 8, 4)
    )
