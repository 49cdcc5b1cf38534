"""Table cells seen as shapes, so that the rules for text read them too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.proposals.checks.shapes import Shape, SlideFacts, paragraphs
from apps.proposals.render.color import RGB
from apps.proposals.render.geometry import Box
from apps.proposals.render.theme import solid_of
from apps.proposals.render.xml import Element, qn

INSETS = {"marL": 91440, "marR": 91440, "marT": 45720, "marB": 45720}


def as_shape(facts: SlideFacts, table: Shape, cell: Any, width: float, box: Box | None = None) -> Shape:
    properties = cell.find(qn("a:tcPr"))
    left, right, top, bottom = (
        int((properties.get(name) if properties is not None else None) or value) / 12700
        for name, value in INSETS.items()
    )
    frame = box or Box(table.box.x, table.box.y, width, top + bottom + 1)
    fill = _fill(properties, facts)
    return Shape(
        element=table.element,
        order=table.order,
        id=table.id,
        name=table.name,
        kind="text",
        box=frame,
        inner=Box(frame.x + left, frame.y + top, max(width - left - right, 1), max(frame.h - top - bottom, 1)),
        paragraphs=list(
            paragraphs(cell.find(qn("a:txBody")), [cell], facts.slide.slide_layout.slide_master.element, facts)
        ),
        fill=fill,
        filled=fill is not None,
    )


def _fill(properties: Element | None, facts: SlideFacts) -> RGB | None:
    return solid_of(properties, facts.palette)


def cells(facts: SlideFacts, table: Shape) -> Iterator[Shape]:
    """Every cell at its place, as the row heights are set."""
    element = table.element.find(f".//{qn('a:tbl')}")
    widths = [int(c.get("w")) / 12700 for c in element.findall(f"{qn('a:tblGrid')}/{qn('a:gridCol')}")]
    y = table.box.y
    for row in element.findall(qn("a:tr")):
        x, high = table.box.x, int(row.get("h")) / 12700
        for cell, width in zip(row.findall(qn("a:tc")), widths, strict=False):
            yield as_shape(facts, table, cell, width, Box(x, y, width, high))
            x += width
        y += high
