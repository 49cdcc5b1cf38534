"""Rules for charts, pictures, links and embedded objects."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from PIL import Image

from apps.proposals.checks.shapes import Shape
from apps.proposals.checks.words import told
from apps.proposals.model import Finding
from apps.proposals.render.words import Language
from apps.proposals.render.xml import Element, qn

if TYPE_CHECKING:
    from apps.proposals.checks.look import Context

DISTORTED, COARSE, PIE_PARTS = 0.02, 110.0, 6
UNIT = re.compile(r"[（(].+[)）]|単位|%|％")
SOURCE = re.compile(r"(?:出所|出典|資料|Source)\s*[：:]", re.IGNORECASE)
AS_OF = re.compile(r"\d{4}|時点|現在|as of|期|年度", re.IGNORECASE)


def chart_findings(context: Context) -> Iterator[Finding]:
    text = "\n".join(s.text for s in context.facts.shapes if SOURCE.search(s.text))
    for shape in context.facts.shapes:
        if shape.kind == "chart":
            yield from _chart(context, shape, text)
        if shape.kind in ("chart", "table") and not shape.alt:
            yield context.tell("look.alt_text", "stop", shape.name)


def chart_part(context: Context, shape: Shape) -> Any:
    reference = shape.element.find(f".//{qn('c:chart')}")
    return context.facts.slide.part.related_part(reference.get(qn("r:id")))


def _chart(context: Context, shape: Shape, sources: str) -> Iterator[Finding]:
    part = chart_part(context, shape)
    space = part._element
    chart = space.find(qn("c:chart"))
    title = "".join(t.text or "" for t in chart.findall(f"{qn('c:title')}//{qn('a:t')}"))
    name = title or shape.name
    data = space.find(qn("c:externalData"))
    if data is None or data.get(qn("r:id")) not in part.rels:
        yield context.tell("look.chart_workbook", "stop", name)
    if not title:
        yield context.tell("look.chart_title", "stop", name)
    axis_titles = "".join(t.text or "" for t in chart.findall(f".//{qn('c:valAx')}/{qn('c:title')}//{qn('a:t')}"))
    formats = " ".join(e.get("formatCode") or "" for e in chart.iter(qn("c:numFmt")))
    if not UNIT.search(title) and not axis_titles and not UNIT.search(formats.replace("(#", "")):
        yield context.tell("look.chart_unit", "warn", name)
    if not sources:
        yield context.tell("look.chart_source", "warn", name)
    elif not AS_OF.search(sources):
        yield context.tell("look.chart_as_of", "info", name)
    yield from _plots(context, chart, name)


def _plots(context: Context, chart: Element, name: str) -> Iterator[Finding]:
    if chart.find(f".//{qn('c:barChart')}") is not None:
        bars = {a.get("val") for a in chart.findall(f".//{qn('c:barChart')}/{qn('c:axId')}")}
        for axis in chart.findall(f".//{qn('c:valAx')}"):
            least = axis.find(f"{qn('c:scaling')}/{qn('c:min')}")
            if axis.find(qn("c:axId")).get("val") in bars and least is not None and float(least.get("val")) > 0:
                yield context.tell("look.chart_axis", "stop", name)
    for pie in chart.iter(qn("c:pieChart"), qn("c:doughnutChart")):
        parts = len(pie.findall(f"{qn('c:ser')}[1]/{qn('c:cat')}//{qn('c:pt')}"))
        if parts > PIE_PARTS:
            yield context.tell("look.chart_pie", "warn", name, parts)


def picture_findings(context: Context) -> Iterator[Finding]:
    for shape in context.facts.shapes:
        if shape.kind != "picture":
            continue
        if not shape.alt and not shape.decorative:
            yield context.tell("look.alt_text", "stop", shape.name)
        blip = shape.element.find(f"{qn('p:blipFill')}/{qn('a:blip')}")
        embedded = blip.get(qn("r:embed")) if blip is not None else None
        if embedded:
            yield from _pixels(context, shape, context.facts.slide.part.related_part(embedded).blob)


def _pixels(context: Context, shape: Shape, blob: bytes) -> Iterator[Finding]:
    try:
        with Image.open(io.BytesIO(blob)) as image:
            width, height = image.size
    except OSError:  # vector formats have no pixels to count
        return
    crop = shape.element.find(f"{qn('p:blipFill')}/{qn('a:srcRect')}")
    cut = {side: int(crop.get(side) or 0) / 100_000 if crop is not None else 0.0 for side in "lrtb"}
    shown_w, shown_h = width * (1 - cut["l"] - cut["r"]), height * (1 - cut["t"] - cut["b"])
    if shown_w <= 0 or shown_h <= 0 or shape.box.area <= 0:
        return
    if abs(shape.box.w / shape.box.h / (shown_w / shown_h) - 1) > DISTORTED:
        yield context.tell("look.image_distorted", "stop", shape.name)
    dpi = min(shown_w / shape.box.w, shown_h / shape.box.h) * 72
    if dpi < COARSE:
        yield context.tell("look.image_dpi", "warn", shape.name, dpi)


EMBEDDED = ("/oleObject", "/package", "/control", "/vbaProject", "/activeXControlBinary")


def link_findings(prs: Any, language: Language) -> Iterator[Finding]:
    """Links out of the file, macros, OLE objects; a chart's own workbook is none of them."""
    for number, slide in enumerate(prs.slides, 1):
        for rel in slide.part.rels.values():
            if rel.is_external:
                yield told("look.link", "stop", str(number), language, rel.target_ref)
            elif rel.reltype.endswith(EMBEDDED):
                yield told("look.embedded", "stop", str(number), language, rel.reltype.rpartition("/")[2])
    for rel in prs.part.rels.values():
        if rel.reltype.endswith("/vbaProject"):
            yield told("look.embedded", "stop", "", language, "vbaProject")
