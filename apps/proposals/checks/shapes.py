"""Facts about the shapes of a finished slide: place, resolved text, fill, what lies under it. Sizes in points."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from apps.proposals.render import inherit
from apps.proposals.render.color import BLACK, RGB, Palette, palette_of
from apps.proposals.render.geometry import Box
from apps.proposals.render.measure import PITCH, Measured, Typeface, height
from apps.proposals.render.template import LayoutProfile, profile
from apps.proposals.render.theme import color_map, color_of, missing_wide, solid_of, theme_root
from apps.proposals.render.xml import Element, qn

Kind = Literal["text", "table", "chart", "picture", "line", "other"]
META = ("dt", "ftr", "sldNum")


@dataclass(frozen=True)
class Run:
    text: str
    size: float
    bold: bool
    color: RGB | None
    latin: str
    wide: str
    wide_set: bool = True  # an East Asian face is named: on the run, in a list style or in the theme
    link: bool = False


@dataclass(frozen=True)
class Paragraph:
    """``spacing``: of the lines, as a share of the usual pitch, or ``exact`` points; ``before``, ``after``: points."""

    runs: tuple[Run, ...]
    level: int
    spacing: float
    exact: float
    before: float
    after: float
    indent: float
    bullet: bool
    default: float

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)

    @property
    def size(self) -> float:
        visible = [run.size for run in self.runs if run.text.strip()]
        return max(visible or [run.size for run in self.runs], default=self.default)

    def measured(self, scale: float = 1.0, above: float = 0.0) -> Measured:
        """``above``: what the paragraph before leaves below itself."""
        bold = any(run.bold for run in self.runs if run.text.strip())
        size = self.size * scale
        spacing = self.exact / (size * PITCH) if self.exact else self.spacing
        return Measured(self.text, size, bold, self.indent, self.before + above, spacing)


@dataclass
class Shape:
    """One shape, groups flattened. ``ink``: where its text really stands; ``box`` the frame."""

    element: Element
    order: int
    id: int
    name: str
    kind: Kind
    box: Box
    inner: Box
    paragraphs: list[Paragraph] = field(default_factory=list)
    fill: RGB | None = None
    filled: bool = False
    outlined: bool = False
    ph: str | None = None
    form: str = "rect"
    alt: str = ""
    decorative: bool = False
    anchor: str = "t"
    autofit: str = "none"
    scale: float = 1.0
    group: int | None = None
    vertical: bool = False
    wraps: bool = True

    @property
    def text(self) -> str:
        return "\n".join(p.text for p in self.paragraphs)

    @property
    def has_text(self) -> bool:
        return bool(self.text.strip())

    @property
    def face(self) -> Typeface:
        runs = [run for p in self.paragraphs for run in p.runs if run.latin]
        return Typeface(runs[0].latin, runs[0].wide) if runs else Typeface()

    def needed(self) -> float:
        """Height of the text at the width of the frame."""
        above = [0.0, *(p.after for p in self.paragraphs)]
        lines = [p.measured(self.scale, gap) for p, gap in zip(self.paragraphs, above, strict=False)]
        return height(lines, self.inner.w if self.wraps else 1e6, self.face)

    @property
    def ink(self) -> Box:
        """Where the text stands inside the frame, full width; a frame that grows with its text holds all of it."""
        needed = self.needed() if self.has_text else 0.0
        high = needed if self.autofit == "grow" else min(needed, max(self.inner.h, 1.0))
        free = self.inner.h - high
        top = self.inner.y + (free / 2 if self.anchor == "ctr" else free if self.anchor == "b" else 0)
        return Box(self.inner.x, top, self.inner.w, high)


@dataclass
class SlideFacts:
    number: int
    slide: Any
    layout: LayoutProfile
    palette: Palette
    page: Box
    shapes: list[Shape]
    theme_wide: bool = True

    @property
    def content(self) -> list[Shape]:
        """All but footers, numbers and dates."""
        return [s for s in self.shapes if s.ph not in META]

    def background(self, shape: Shape) -> RGB | None:
        """Colour behind a shape's text: its own fill, the nearest filled shape below it, the layout's ground."""
        if shape.filled:
            return shape.fill
        area = shape.ink if shape.has_text else shape.box
        for other in reversed(self.shapes[: shape.order]):
            if other.filled and other.box.common(area) >= 0.9 * area.area:
                return other.fill
        return self.layout.ground(area)


class Reader:
    """Reads slides of one presentation; layouts are profiled once."""

    def __init__(self, prs: Any) -> None:
        self.page = Box.of_emu(0, 0, prs.slide_width, prs.slide_height)
        self._layouts: dict[str, LayoutProfile] = {}

    def facts(self, slide: Any, number: int) -> SlideFacts:
        layout = slide.slide_layout
        name = str(layout.part.partname)
        if name not in self._layouts:
            self._layouts[name] = profile(layout, 0, 0, self.page)
        found = self._layouts[name]
        theme = theme_root(layout.slide_master.part)
        override = slide.element.find(f"{qn('p:clrMapOvr')}/{qn('a:overrideClrMapping')}")
        palette = (
            found.palette
            if override is None
            else palette_of(theme, color_map(layout.slide_master.element, slide.element))
        )
        own = solid_of(slide.element.find(f"{qn('p:cSld')}/{qn('p:bg')}/{qn('p:bgPr')}"), palette)
        if own is not None:
            found = replace(found, background=own, fixed=())
        facts = SlideFacts(number, slide, found, palette, self.page, [], not missing_wide(theme))
        for element, box, group in _flatten(slide.shapes._spTree, slide):
            facts.shapes.append(self._shape(facts, element, box, group))
        return facts

    def _shape(self, facts: SlideFacts, element: Element, box: Box, group: int | None) -> Shape:
        layout, master = facts.slide.slide_layout.element, facts.slide.slide_layout.slide_master.element
        chain = inherit.ancestry(element, layout, master)
        properties = element.find(f"./*/{qn('p:cNvPr')}")
        ph = inherit.placeholder(element)
        kind = _kind(element)
        shape = Shape(
            element=element,
            order=len(facts.shapes),
            id=int(properties.get("id")),
            name=properties.get("name") or "",
            kind=kind,
            box=box,
            inner=_inner(chain, box) if kind == "text" else box,
            ph=inherit.ph_type(ph) if ph is not None else None,
            alt=properties.get("descr") or "",
            decorative=any(e.tag.endswith("}decorative") and e.get("val") != "0" for e in properties.iter()),
            group=group,
        )
        _dress(shape, chain, facts.palette)
        if kind == "text":
            shape.paragraphs = list(paragraphs(element.find(qn("p:txBody")), chain, master, facts))
            shape.anchor = inherit.body_property(chain, "anchor") or "t"
            shape.vertical = (inherit.body_property(chain, "vert") or "horz") != "horz"
            shape.wraps = (inherit.body_property(chain, "wrap") or "square") != "none"
            shape.autofit, shape.scale = _autofit(element)
        return shape


def _kind(element: Element) -> Kind:
    if element.tag == qn("p:pic"):
        return "picture"
    if element.tag == qn("p:cxnSp"):
        return "line"
    if element.tag == qn("p:graphicFrame"):
        if element.find(f".//{qn('a:tbl')}") is not None:
            return "table"
        return "chart" if element.find(f".//{qn('c:chart')}") is not None else "other"
    return "text" if element.tag == qn("p:sp") else "other"


SHAPES = {qn(t) for t in ("p:sp", "p:pic", "p:cxnSp", "p:graphicFrame", "p:grpSp")}


def _flatten(tree: Element, slide: Any) -> Iterator[tuple[Element, Box, int | None]]:
    """Leaf shapes with their boxes on the slide and the id of the outermost group they are in."""
    layout, master = slide.slide_layout.element, slide.slide_layout.slide_master.element

    def walk(
        parent: Element, scale: tuple[float, float, float, float], group: int | None
    ) -> Iterator[tuple[Element, Box, int | None]]:
        sx, sy, dx, dy = scale
        for element in parent:
            if element.tag not in SHAPES:
                continue
            place = inherit.transform(inherit.ancestry(element, layout, master))
            if element.tag == qn("p:grpSp"):
                own = int(element.find(f"./*/{qn('p:cNvPr')}").get("id")) if group is None else group
                yield from walk(element, _compose(place, scale), own)
                continue
            if place is None:
                continue
            off, ext = place.find(qn("a:off")), place.find(qn("a:ext"))
            x, y = int(off.get("x")) / 12700 * sx + dx, int(off.get("y")) / 12700 * sy + dy
            box = Box(x, y, int(ext.get("cx")) / 12700 * sx, int(ext.get("cy")) / 12700 * sy)
            yield element, _turned(box, place), group

    yield from walk(tree, (1.0, 1.0, 0.0, 0.0), None)


def _turned(box: Box, place: Element) -> Box:
    """Shapes turned by about 90 degrees take the other extent."""
    quarter = round(int(place.get("rot") or 0) / 5_400_000) % 2
    if not quarter:
        return box
    middle_x, middle_y = box.x + box.w / 2, box.y + box.h / 2
    return Box(middle_x - box.h / 2, middle_y - box.w / 2, box.h, box.w)


def _compose(place: Element | None, outer: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    if place is None or place.find(qn("a:chOff")) is None:
        return outer
    off, ext, inner_off, inner_ext = (place.find(qn(t)) for t in ("a:off", "a:ext", "a:chOff", "a:chExt"))
    sx = int(ext.get("cx")) / max(int(inner_ext.get("cx")), 1)
    sy = int(ext.get("cy")) / max(int(inner_ext.get("cy")), 1)
    dx = (int(off.get("x")) - int(inner_off.get("x")) * sx) / 12700
    dy = (int(off.get("y")) - int(inner_off.get("y")) * sy) / 12700
    ox, oy, px, py = outer
    return sx * ox, sy * oy, dx * ox + px, dy * oy + py


def _inner(chain: list[Element], box: Box) -> Box:
    """The text rectangle: insets, and what pointed or round shapes cannot use."""
    left, right = (int(inherit.body_property(chain, f"{s}Ins") or 91440) / 12700 for s in "lr")
    top, bottom = (int(inherit.body_property(chain, f"{s}Ins") or 45720) / 12700 for s in "tb")
    geometry = chain[0].find(f"{qn('p:spPr')}/{qn('a:prstGeom')}")
    form = geometry.get("prst") if geometry is not None else "rect"
    if form == "ellipse":
        box = box.inset(box.w * 0.1465, box.h * 0.1465)
    elif form in ("chevron", "homePlate"):
        guide = geometry.find(f".//{qn('a:gd')}")
        point = min(box.w, box.h) * (int(guide.get("fmla").split()[-1]) if guide is not None else 50000) / 100_000
        box = Box(box.x + point, box.y, box.w - 2 * point, box.h) if form == "chevron" else box.left(box.w - point / 2)
    return Box(box.x + left, box.y + top, max(box.w - left - right, 1), box.h - top - bottom)


def _dress(shape: Shape, chain: list[Element], palette: Palette) -> None:
    """Fill and outline, own, inherited or from the shape's style."""
    geometry = shape.element.find(f"{qn('p:spPr')}/{qn('a:prstGeom')}")
    shape.form = geometry.get("prst") if geometry is not None else "rect"
    for holder in chain:
        properties = holder.find(qn("p:spPr"))
        if properties is None:
            continue
        if properties.find(qn("a:noFill")) is not None:
            break
        if any(properties.find(qn(t)) is not None for t in ("a:solidFill", "a:gradFill", "a:pattFill", "a:blipFill")):
            shape.fill, shape.filled = solid_of(properties, palette), True
            break
    else:
        reference = shape.element.find(f"{qn('p:style')}/{qn('a:fillRef')}")
        if reference is not None and reference.get("idx") != "0" and len(reference):
            shape.fill, shape.filled = color_of(reference[0], palette), True
    line = shape.element.find(f"{qn('p:spPr')}/{qn('a:ln')}")
    shape.outlined = line is not None and line.find(qn("a:noFill")) is None
    if shape.kind == "picture":
        shape.filled = True


def _autofit(element: Element) -> tuple[str, float]:
    body = element.find(f"{qn('p:txBody')}/{qn('a:bodyPr')}")
    if body is None:
        return "none", 1.0
    normal = body.find(qn("a:normAutofit"))
    if normal is not None:
        return "shrink", int(normal.get("fontScale") or 100_000) / 100_000
    return ("grow" if body.find(qn("a:spAutoFit")) is not None else "none"), 1.0


def paragraphs(body: Element | None, chain: list[Element], master: Element, facts: SlideFacts) -> Iterator[Paragraph]:
    if body is None:
        return
    style = chain[0].find(f"{qn('p:style')}/{qn('a:fontRef')}")
    fallback = color_of(style[0], facts.palette) if style is not None and len(style) else None
    for element in body.findall(qn("a:p")):
        properties = element.find(qn("a:pPr"))
        level = int(properties.get("lvl") or 0) if properties is not None else 0
        styles = list(inherit.list_styles(chain, master, level))
        yield Paragraph(
            runs=tuple(_runs(element, styles, chain, facts, fallback)),
            level=level,
            spacing=_first(properties, styles, _percent) or 1.0,
            exact=_first(properties, styles, _exact) or 0.0,
            before=_first(properties, styles, _space("a:spcBef")) or 0.0,
            after=_first(properties, styles, _space("a:spcAft")) or 0.0,
            indent=_first(properties, styles, lambda e: int(e.get("marL")) / 12700 if e.get("marL") else None) or 0.0,
            bullet=bool(_first(properties, styles, _bullet)),
            default=_size(styles, element.find(qn("a:endParaRPr"))),
        )


def _first(properties: Element | None, styles: list[Element], getter: Any) -> Any:
    for holder in ([properties] if properties is not None else []) + styles:
        value = getter(holder)
        if value is not None:
            return value
    return None


def _percent(element: Element) -> float | None:
    found = element.find(f"{qn('a:lnSpc')}/{qn('a:spcPct')}")
    if found is None:
        return None
    value = str(found.get("val"))
    return float(value.rstrip("%")) / (100 if value.endswith("%") else 100_000)


def _exact(element: Element) -> float | None:
    """Line spacing in points; 0 where a nearer style gives a share instead."""
    if element.find(f"{qn('a:lnSpc')}/{qn('a:spcPct')}") is not None:
        return 0.0
    found = element.find(f"{qn('a:lnSpc')}/{qn('a:spcPts')}")
    return None if found is None else int(found.get("val")) / 100


def _space(tag: str) -> Callable[[Element], float | None]:
    def points(element: Element) -> float | None:
        found = element.find(f"{qn(tag)}/{qn('a:spcPts')}")
        return None if found is None else int(found.get("val")) / 100

    return points


def _bullet(element: Element) -> bool | None:
    if element.find(qn("a:buNone")) is not None:
        return False
    return True if element.find(qn("a:buChar")) is not None or element.find(qn("a:buAutoNum")) is not None else None


def _runs(
    element: Element, styles: list[Element], chain: list[Element], facts: SlideFacts, fallback: RGB | None
) -> Iterator[Run]:
    ph = inherit.placeholder(chain[0])
    major = ph is not None and inherit.ph_type(ph) in ("title", "ctrTitle")
    for child in element:
        if child.tag == qn("a:br"):
            yield Run("\n", _size(styles, child.find(qn("a:rPr"))), False, None, "", "", True)
        elif child.tag in (qn("a:r"), qn("a:fld")):
            properties = child.find(qn("a:rPr"))
            yield run_of(child, properties, styles, facts, fallback, major=major)


def _size(styles: list[Element], properties: Element | None) -> float:
    return inherit.run_value(styles, properties, inherit.size_of) or 18.0


def run_of(
    child: Element,
    properties: Element | None,
    styles: list[Element],
    facts: SlideFacts,
    fallback: RGB | None,
    *,
    major: bool,
) -> Run:
    def value(getter: Callable[[Element], Any]) -> Any:
        return inherit.run_value(styles, properties, getter)

    fonts = facts.layout.fonts
    wide = value(inherit.wide_of)
    face = fonts.resolve(value(inherit.latin_of), wide, major=major)
    color = color_of(value(inherit.fill_of), facts.palette)
    text = child.find(qn("a:t"))
    return Run(
        text=(text.text or "") if text is not None else "",
        size=_size(styles, properties),
        bold=bool(value(inherit.bold_of)),
        color=color if color is not None else fallback or facts.palette.colors.get("tx1", BLACK),
        latin=face.latin,
        wide=face.wide,
        wide_set=facts.theme_wide or bool(wide and not wide.startswith("+")),
        link=properties is not None and properties.find(qn("a:hlinkClick")) is not None,
    )
