"""Native charts with their workbook: column, bar, line, pie, waterfall, combination."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE

from apps.proposals.model import Chart
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.color import Color
from apps.proposals.render.geometry import Box, emu
from apps.proposals.render.text import run_properties
from apps.proposals.render.theme import is_dark
from apps.proposals.render.xml import Element, drop, el, qn

FORM = {
    "column": XL_CHART_TYPE.COLUMN_CLUSTERED,
    "bar": XL_CHART_TYPE.BAR_CLUSTERED,
    "line": XL_CHART_TYPE.LINE_MARKERS,
    "pie": XL_CHART_TYPE.PIE,
    "waterfall": XL_CHART_TYPE.COLUMN_STACKED,
    "combo": XL_CHART_TYPE.COLUMN_CLUSTERED,
}
PIE_MOST = 6
SIZE = 12.0  # pt, axis and data labels


@dataclass(frozen=True)
class Plotted:
    """A chart made fit to draw: values of equal length, a form that can show them."""

    type: str
    categories: list[str]
    names: list[str]
    values: list[list[float | None]]
    unit: str
    format: str
    scale_unit: str

    @property
    def numbers(self) -> list[float]:
        return [value for row in self.values for value in row if value is not None]


def prepare(kit: Kit, chart: Chart, slide: str) -> Plotted | None:
    """Check the data, say what is wrong with it; None when there is nothing to plot."""
    wide = len(chart.categories)
    faults = [s.name for s in chart.series if len(s.values) != wide]
    rows = [[_finite(v) for v in (s.values + [None] * wide)[:wide]] for s in chart.series]
    if not wide or not any(v is not None for row in rows for v in row):
        kit.tell("render.chart_data", "stop", slide, chart.title or kit.label("no_data"))
        return None
    for name in faults:
        kit.tell("render.chart_data", "warn", slide, name)
    kind = _possible(kit, chart, rows, slide)
    numbers = [v for row in rows for v in row if v is not None]
    form, unit = number_format(numbers, chart.unit, kit.language)
    names = [s.name or f"{n}" for n, s in enumerate(chart.series, 1)]
    return Plotted(kind, list(chart.categories), names, rows, chart.unit, form, unit)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _possible(kit: Kit, chart: Chart, rows: list[list[float | None]], slide: str) -> str:
    """The wanted form, or the nearest that can show these values; the change is reported."""

    def instead(kind: str, reason: str) -> str:
        kit.tell("render.chart_type", "warn", slide, kit.label(chart.type), kit.label(kind), reason)
        return kind

    first = [v or 0.0 for v in rows[0]]
    ja = kit.language == "ja"
    if chart.type == "pie" and (len(rows) > 1 or min(first) < 0):
        return instead("column", "複数の系列か負の値がある" if ja else "several series or negative values")
    if chart.type == "pie" and len(first) > PIE_MOST:
        return instead("bar", f"{PIE_MOST}項目を超える" if ja else f"more than {PIE_MOST} parts")
    if chart.type == "waterfall" and (len(rows) > 1 or len(first) < 2 or min(step.base for step in steps(first)) < 0):
        return instead("column", "複数の系列か、合計が負になる" if ja else "several series or a negative total")
    if chart.type == "combo" and len(rows) < 2:
        return instead("column", "系列が一つだけ" if ja else "only one series")
    return chart.type


YEN = {"円": "ja", "yen": "en", "jpy": "en"}


def number_format(numbers: Sequence[float], unit: str, language: str) -> tuple[str, str]:
    """Excel number format and printed unit. Large yen amounts are shown in millions; the workbook keeps full values."""
    largest = max(abs(n) for n in numbers)
    if unit.lower() in YEN and largest >= 1e7:
        places = 1 if any(round(n / 1e6) * 1e6 != n for n in numbers) and largest < 1e9 else 0
        return "#,##0" + (".0" if places else "") + ",,", "百万円" if language == "ja" else "JPY million"
    places = max(_places(n) for n in numbers)
    form = "#,##0" + ("." + "0" * places if places else "")
    return (form + '"%"' if unit in ("%", "％") else form), unit


def _places(number: float) -> int:
    return next((n for n in range(3) if abs(round(number, n) - number) < 1e-9), 2)


# ---- waterfall -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One column of a waterfall: the invisible base, then a level, a rise or a fall on it."""

    base: float
    total: float | None = None
    up: float | None = None
    down: float | None = None


def steps(values: Sequence[float]) -> list[Step]:
    """The first value is a level; so is the last when it is the sum of those before; the rest are changes."""
    last_is_sum = len(values) > 2 and math.isclose(sum(values[:-1]), values[-1], rel_tol=1e-6, abs_tol=1e-9)
    changes = values[1:-1] if last_is_sum else values[1:]
    out, level = [Step(0.0, total=values[0])], values[0]
    for change in changes:
        base = min(level, level + change)
        out.append(Step(base, up=change) if change >= 0 else Step(base, down=-change))
        level += change
    return [*out, Step(0.0, total=values[-1])] if last_is_sum else out


# ---- drawing ---------------------------------------------------------------------------------------------------------


def draw_chart(canvas: Canvas, box: Box, chart: Chart, plotted: Plotted) -> None:
    kit = canvas.kit
    data: Any = CategoryChartData(number_format=plotted.format)  # type: ignore[no-untyped-call]
    data.categories = plotted.categories
    for name, values in _series(kit, plotted):
        data.add_series(name, values)
    place = (emu(box.x), emu(box.y), emu(box.w), emu(box.h))
    frame = canvas.slide.shapes.add_chart(FORM[plotted.type], *place, data)
    canvas.frame(frame, "chart", alt_text(kit, chart, plotted))
    space = frame.chart._chartSpace
    STYLERS.get(plotted.type, _style_bars)(kit, space, plotted)
    _frame(kit, space, chart, plotted)
    _positive_axes(space)


def _series(kit: Kit, plotted: Plotted) -> list[tuple[str, list[float | None]]]:
    if plotted.type != "waterfall":
        return list(zip(plotted.names, plotted.values, strict=True))
    columns = steps([v or 0.0 for v in plotted.values[0]])
    return [
        (kit.label("base"), [step.base for step in columns]),
        (plotted.names[0], [step.total for step in columns]),
        (kit.label("increase"), [step.up for step in columns]),
        (kit.label("decrease"), [step.down for step in columns]),
    ]


def alt_text(kit: Kit, chart: Chart, plotted: Plotted) -> str:
    rows = []
    for name, values in zip(plotted.names, plotted.values, strict=True):
        cells = [f"{c} {v:,g}" for c, v in zip(plotted.categories, values, strict=True) if v is not None]
        rows.append(f"{name}: " + ", ".join(cells))
    unit = f" ({plotted.unit})" if plotted.unit else ""
    return kit.label("chart_alt", kind=kit.label(plotted.type), title=chart.title, data="; ".join(rows) + unit)


def _text_properties(kit: Kit, size: float, *, bold: bool = False, color: Color | None = None) -> Element:
    properties = run_properties("a:defRPr", size, bold, color or kit.scheme.ink, kit.fonts, kit.language)
    for name in ("lang", "altLang", "dirty"):
        properties.attrib.pop(name, None)
    return el(
        "c:txPr", el("a:bodyPr"), el("a:lstStyle"), el("a:p", el("a:pPr", properties), el("a:endParaRPr", lang="ja-JP"))
    )


def _frame(kit: Kit, space: Element, chart: Chart, plotted: Plotted) -> None:
    """Title with unit, legend where there are several series, fonts of everything else."""
    area = space.find(qn("c:chart"))
    for tag in ("c:title", "c:autoTitleDeleted", "c:legend"):
        for old in area.findall(qn(tag)):
            drop(old)
    heading = chart.title
    if plotted.scale_unit:
        heading = (
            kit.label("titled_unit", heading, plotted.scale_unit) if heading else kit.label("unit", plotted.scale_unit)
        )
    area.insert(0, el("c:autoTitleDeleted", val=0 if heading else 1))
    if heading:
        area.insert(0, _title(kit, heading))
    shown = _legend(kit, plotted)
    if shown is not None:
        area.find(qn("c:plotArea")).addnext(shown)
    for old in space.findall(qn("c:txPr")):
        drop(old)
    after = space.find(qn("c:externalData"))
    made = _text_properties(kit, SIZE)
    if after is None:
        space.append(made)
    else:
        after.addprevious(made)


def _title(kit: Kit, text: str) -> Element:
    run = el("a:r", run_properties("a:rPr", 14, True, kit.scheme.ink, kit.fonts, kit.language), el("a:t", text=text))
    properties = run_properties("a:defRPr", 14, True, kit.scheme.ink, kit.fonts, kit.language)
    for name in ("lang", "altLang", "dirty"):
        properties.attrib.pop(name, None)
    rich = el("c:rich", el("a:bodyPr"), el("a:lstStyle"), el("a:p", el("a:pPr", properties), run))
    return el("c:title", el("c:tx", rich), el("c:overlay", val=0))


def _legend(kit: Kit, plotted: Plotted) -> Element | None:
    entries: list[Element] = []
    if plotted.type == "waterfall":  # the invisible base gets no entry
        columns = steps([v or 0.0 for v in plotted.values[0]])
        empty = {2: not any(step.up for step in columns), 3: not any(step.down for step in columns)}
        unused = [0, *(number for number, unneeded in empty.items() if unneeded)]
        entries = [el("c:legendEntry", el("c:idx", val=n), el("c:delete", val=1)) for n in unused]
    elif len(plotted.names) < 2 and plotted.type != "pie":
        return None
    place = "r" if plotted.type == "pie" else "b"
    return el("c:legend", el("c:legendPos", val=place), *entries, el("c:overlay", val=0), _text_properties(kit, SIZE))


def series_color(kit: Kit, number: int) -> Color:
    """Accents in order, made readable against the background where they are too pale."""
    order = ("accent1", "accent2", "accent3", "accent4", "accent5", "accent6")
    token = order[number % 6]
    options = [Color(token), Color(token, 75), Color(token, 50), Color(token, 60, 40), Color(token, 40, 60)]
    return kit.scheme.palette.best(options, kit.scheme.background, least=2.0)


def _shape(color: Color | None, *, line: bool = False) -> Element:
    if color is None:
        return el("c:spPr", el("a:noFill"), el("a:ln", el("a:noFill")))
    if line:
        return el("c:spPr", el("a:ln", color.fill(), el("a:round"), w=emu(2.5), cap="rnd"))
    return el("c:spPr", color.fill(), el("a:ln", el("a:noFill")))


def _set_shape(series: Element, made: Element) -> None:
    for old in series.findall(qn("c:spPr")):
        drop(old)
    after = series.find(qn("c:tx"))
    (after if after is not None else series.find(qn("c:order"))).addnext(made)


def _labels(kit: Kit, form: str, position: str | None, *, color: Color | None = None, percent: bool = False) -> Element:
    shows = {
        "c:showLegendKey": 0,
        "c:showVal": 0 if percent else 1,
        "c:showCatName": 0,
        "c:showSerName": 0,
        "c:showPercent": 1 if percent else 0,
        "c:showBubbleSize": 0,
    }
    return el(
        "c:dLbls",
        el("c:numFmt", formatCode=form, sourceLinked=0),
        el("c:spPr", el("a:noFill"), el("a:ln", el("a:noFill"))),
        _text_properties(kit, SIZE, color=color),
        el("c:dLblPos", val=position) if position else None,
        *(el(tag, val=value) for tag, value in shows.items()),
    )


def _set_labels(series: Element, made: Element) -> None:
    for old in series.findall(qn("c:dLbls")):
        drop(old)
    for tag in ("c:trendline", "c:errBars", "c:cat", "c:val"):
        before = series.find(qn(tag))
        if before is not None:
            before.addprevious(made)
            return


def _plot(space: Element, tag: str) -> Element:
    return space.find(f"{qn('c:chart')}/{qn('c:plotArea')}/{qn(tag)}")


def _axes(kit: Kit, space: Element, plotted: Plotted, *, hide_values: bool) -> None:
    """No axis line for values, pale grid; values are hidden where every bar carries its own."""
    area = space.find(f"{qn('c:chart')}/{qn('c:plotArea')}")
    for axis in area.findall(qn("c:valAx")) + area.findall(qn("c:catAx")):
        value = axis.tag == qn("c:valAx")
        for tag in (
            "c:majorGridlines",
            "c:minorGridlines",
            "c:numFmt",
            "c:majorTickMark",
            "c:minorTickMark",
            "c:tickLblPos",
            "c:spPr",
            "c:txPr",
            "c:title",
        ):
            for old in axis.findall(qn(tag)):
                drop(old)
        hidden = value and hide_values
        line = el("a:noFill") if value else kit.scheme.muted.fill()
        parts = [
            el("c:majorGridlines", el("c:spPr", el("a:ln", kit.scheme.line.fill(), w=emu(0.5))))
            if value and not hidden
            else None,
            el("c:numFmt", formatCode=plotted.format if value else "General", sourceLinked=0),
            el("c:majorTickMark", val="none"),
            el("c:minorTickMark", val="none"),
            el("c:tickLblPos", val="none" if hidden else "nextTo" if value else "low"),
            el("c:spPr", el("a:ln", line, w=emu(0.75))),
            _text_properties(kit, SIZE),
        ]
        after = axis.find(qn("c:axPos"))
        for part in parts:
            if part is not None:
                after.addnext(part)
                after = part
        if value and plotted.type != "line" and min(plotted.numbers) >= 0:
            _limit(axis, min=0)  # bars that do not start at zero mislead


def _limit(axis: Element, **limits: float) -> None:
    """Set ``min`` and ``max`` of an axis, in schema order."""
    scaling = axis.find(qn("c:scaling"))
    given = {name: f"{value:g}" for name, value in limits.items()}
    for name in ("max", "min"):
        for old in scaling.findall(qn(f"c:{name}")):
            given.setdefault(name, old.get("val"))
            drop(old)
    for name in ("max", "min"):
        if name in given:
            scaling.append(el(f"c:{name}", val=given[name]))


def _gap(plot: Element, width: int, overlap: int | None = None) -> None:
    for tag in ("c:gapWidth", "c:overlap"):
        for old in plot.findall(qn(tag)):
            drop(old)
    before = plot.find(qn("c:axId"))
    before.addprevious(el("c:gapWidth", val=width))
    if overlap is not None:
        before.addprevious(el("c:overlap", val=overlap))


def _style_bars(kit: Kit, space: Element, plotted: Plotted) -> None:
    plot = _plot(space, "c:barChart")
    few = len(plotted.categories) * len(plotted.names) <= 16
    for number, series in enumerate(plot.findall(qn("c:ser"))):
        _set_shape(series, _shape(series_color(kit, number)))
        if few:
            _set_labels(series, _labels(kit, plotted.format, "outEnd"))
    _gap(plot, 70 if len(plotted.names) < 3 else 50, -8 if len(plotted.names) > 1 else None)
    _axes(kit, space, plotted, hide_values=few)
    if plotted.type == "bar":  # first category on top
        axis = _plot(space, "c:catAx")
        axis.find(f"{qn('c:scaling')}/{qn('c:orientation')}").set("val", "maxMin")
        _plot(space, "c:valAx").find(qn("c:crosses")).set("val", "max")


def _style_line(kit: Kit, space: Element, plotted: Plotted) -> None:
    few = len(plotted.categories) * len(plotted.names) <= 12
    for number, series in enumerate(_plot(space, "c:lineChart").findall(qn("c:ser"))):
        _style_line_series(kit, series, series_color(kit, number), plotted.format if few else None)
    _axes(kit, space, plotted, hide_values=False)


def _style_line_series(kit: Kit, series: Element, color: Color, form: str | None) -> None:
    _set_shape(series, _shape(color, line=True))
    for old in series.findall(qn("c:marker")) + series.findall(qn("c:smooth")):
        drop(old)
    dot = el("c:spPr", color.fill(), el("a:ln", el("a:noFill")))
    series.find(qn("c:spPr")).addnext(el("c:marker", el("c:symbol", val="circle"), el("c:size", val=7), dot))
    series.append(el("c:smooth", val=0))
    if form:
        _set_labels(series, _labels(kit, form, "t"))


def _style_pie(kit: Kit, space: Element, plotted: Plotted) -> None:
    series = _plot(space, "c:pieChart").find(qn("c:ser"))
    for old in series.findall(qn("c:dPt")):
        drop(old)
    before = series.find(qn("c:cat"))
    for number in range(len(plotted.categories)):
        color = series_color(kit, number)
        edge = Color("bg1").fill()
        shape = el("c:spPr", color.fill(), el("a:ln", edge, w=emu(1.5)))
        before.addprevious(el("c:dPt", el("c:idx", val=number), el("c:bubble3D", val=0), shape))
    form = '0"%"' if plotted.unit in ("%", "％") and plotted.format.startswith('#,##0"') else plotted.format
    _set_labels(series, _labels(kit, form, "outEnd"))


def _style_waterfall(kit: Kit, space: Element, plotted: Plotted) -> None:
    plot = _plot(space, "c:barChart")
    scheme = kit.scheme
    # Pale fills and dark labels: a label wider than its thin bar stays readable on the slide's ground too.
    pale = (40, 60) if not is_dark(scheme.background) else (60, 0)
    looks: list[Color | None] = [None, scheme.brand, Color("accent3", *pale), Color("accent1", *pale)]
    plain = plotted.format
    forms = [None, plain, f"+{plain};;", f'"△"{plain};;' if kit.language == "ja" else f"-{plain};;"]
    for series, color, form in zip(plot.findall(qn("c:ser")), looks, forms, strict=True):
        _set_shape(series, _shape(color))
        if form and color:
            _set_labels(
                series, _labels(kit, form, "ctr", color=scheme.on(color) if color == scheme.brand else scheme.ink)
            )
    _gap(plot, 45, 100)
    _axes(kit, space, plotted, hide_values=True)


def _style_combo(kit: Kit, space: Element, plotted: Plotted) -> None:
    """The last series becomes a line; on a second axis when its size is of another order."""
    _style_bars(kit, space, plotted)
    bars = _plot(space, "c:barChart")
    moved = bars.findall(qn("c:ser"))[-1]
    drop(moved)
    for tag in ("c:invertIfNegative", "c:dLbls"):
        for old in moved.findall(qn(tag)):
            drop(old)
    color = series_color(kit, len(plotted.names) - 1)
    line = el("c:lineChart", el("c:grouping", val="standard"), el("c:varyColors", val=0), moved)
    own = [v for v in plotted.values[-1] if v is not None]
    rest = [v for row in plotted.values[:-1] for v in row if v is not None]
    second = _other_order(own, rest)
    _labels_inside(kit, bars, plotted.format)
    places = number_format(own, "", kit.language)[0] if own else plotted.format
    _style_line_series(kit, moved, color, places)
    line.append(el("c:marker", val=1))
    ids = [axis.get("val") for axis in bars.findall(qn("c:axId"))]
    chosen = ["-100", "-200"] if second else ids
    for number in chosen:
        line.append(el("c:axId", val=number))
    bars.addnext(line)
    if second:
        _second_axes(line.getparent(), places, own)
        if max(rest) > 0:  # room above the bars for the line
            _limit(_plot(space, "c:valAx"), max=max(rest) * 1.45)


def _other_order(own: Sequence[float], rest: Sequence[float]) -> bool:
    if not own or not rest:
        return False
    first, second = max(map(abs, own)), max(map(abs, rest))
    return min(first, second) == 0 or max(first, second) / min(first, second) > 4


def _labels_inside(kit: Kit, bars: Element, form: str) -> None:
    """Labels at the inner end of the bars, so that they do not meet those of the line."""
    for number, series in enumerate(bars.findall(qn("c:ser"))):
        if series.find(qn("c:dLbls")) is not None:
            _set_labels(series, _labels(kit, form, "inEnd", color=kit.scheme.on(series_color(kit, number))))


def _second_axes(area: Element, form: str, values: Sequence[float]) -> None:
    """A second pair of axes without labels: the line runs in the upper third, each point carries its value."""
    last = area.findall(qn("c:valAx"))[-1]
    low, high = min(values), max(values)
    span = (high - low) / 0.2 if high > low else abs(high) or 1.0
    bottom = low - 0.72 * span
    scaling = el(
        "c:scaling",
        el("c:orientation", val="minMax"),
        el("c:max", val=f"{bottom + span:g}"),
        el("c:min", val=f"{bottom:g}"),
    )
    value = el(
        "c:valAx",
        el("c:axId", val="-200"),
        scaling,
        el("c:delete", val=0),
        el("c:axPos", val="r"),
        el("c:numFmt", formatCode=form, sourceLinked=0),
        el("c:majorTickMark", val="none"),
        el("c:minorTickMark", val="none"),
        el("c:tickLblPos", val="none"),
        el("c:spPr", el("a:ln", el("a:noFill"))),
        el("c:crossAx", val="-100"),
        el("c:crosses", val="max"),
        el("c:crossBetween", val="between"),
    )
    category = el(
        "c:catAx",
        el("c:axId", val="-100"),
        el("c:scaling", el("c:orientation", val="minMax")),
        el("c:delete", val=1),
        el("c:axPos", val="b"),
        el("c:majorTickMark", val="none"),
        el("c:minorTickMark", val="none"),
        el("c:tickLblPos", val="nextTo"),
        el("c:crossAx", val="-200"),
        el("c:crosses", val="autoZero"),
    )
    last.addnext(category)
    category.addnext(value)


STYLERS: dict[str, Callable[[Kit, Element, Plotted], None]] = {
    "line": _style_line,
    "pie": _style_pie,
    "waterfall": _style_waterfall,
    "combo": _style_combo,
}


def _positive_axes(space: Element) -> None:
    """python-pptx writes negative axis ids, which the schema forbids."""
    numbers = count(100_001)
    seen: dict[str, int] = {}
    for element in space.iter(qn("c:axId"), qn("c:crossAx")):
        old = element.get("val")
        if old not in seen:
            seen[old] = next(numbers)
        element.set("val", str(seen[old]))
