"""Read a template: what each layout offers, by placeholder type and geometry, never by name or position in the list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pptx.slide import SlideLayout

from apps.proposals.render import inherit
from apps.proposals.render.color import RGB, WHITE, Palette
from apps.proposals.render.geometry import Box
from apps.proposals.render.measure import Typeface
from apps.proposals.render.text import Fonts
from apps.proposals.render.theme import (
    ThemeFonts,
    background_of,
    color_of,
    fonts_of,
    palette_for,
    picture_color,
    solid_of,
    theme_root,
)
from apps.proposals.render.xml import Element, qn

TITLES = ("title", "ctrTitle")
BODIES = ("body", "obj", "tbl", "chart", "dgm", "subTitle")
META = ("dt", "ftr", "sldNum")
FULL = 0.85  # a fixed shape covering this share of the page is its background
MARGIN = 0.3 * 72


@dataclass(frozen=True)
class Slot:
    """A placeholder of a layout with the text properties of its first level. Sizes in points."""

    kind: str
    index: int
    box: Box
    size: float
    bold: bool
    face: Typeface
    fonts: Fonts
    color: RGB | None
    insets: tuple[float, float, float, float]
    vertical: bool = False
    indents: tuple[float, ...] = (0.0,)
    text: str = ""
    fill: RGB | None = None

    @property
    def inner(self) -> Box:
        left, top, right, bottom = self.insets
        return Box(self.box.x + left, self.box.y + top, self.box.w - left - right, self.box.h - top - bottom)


@dataclass(frozen=True)
class Fixed:
    """A shape that every slide of the layout shows: logo, bar, panel. ``fill`` None: no or unknown fill."""

    box: Box
    fill: RGB | None
    line: bool = False


@dataclass(frozen=True)
class LayoutProfile:
    """One layout: its place in the file (``number``, from 1, over all masters) and what it offers."""

    number: int
    master: int
    name: str
    declared: str
    layout: SlideLayout
    page: Box
    slots: tuple[Slot, ...]
    fixed: tuple[Fixed, ...]
    background: RGB | None
    palette: Palette
    fonts: ThemeFonts

    @property
    def title(self) -> Slot | None:
        return next((s for s in self.slots if s.kind in TITLES), None)

    @property
    def bodies(self) -> tuple[Slot, ...]:
        return tuple(s for s in self.slots if s.kind in BODIES)

    @property
    def large(self) -> tuple[Slot, ...]:
        """Text or object placeholders big enough for a slide's content."""
        return tuple(s for s in self.bodies if s.kind != "subTitle" and s.box.area > 0.12 * self.page.area)

    @property
    def meta(self) -> tuple[Slot, ...]:
        return tuple(s for s in self.slots if s.kind in META)

    @property
    def pictures(self) -> tuple[Slot, ...]:
        return tuple(s for s in self.slots if s.kind in ("pic", "media", "clipArt"))

    def ground(self, box: Box) -> RGB:
        """Colour behind a box: the topmost fixed panel under it, else the background."""
        for shape in reversed(self.fixed):
            if shape.fill is not None and shape.box.common(box) >= 0.9 * box.area:
                return shape.fill
        return self.background or self.palette.colors.get("bg1", WHITE)

    def obstacles(self, box: Box) -> list[Box]:
        """Fixed shapes that text in the box would run over: not panels that carry it."""
        found = []
        for shape in self.fixed:
            carries = shape.box.common(box) >= 0.6 * box.area or shape.box.area >= FULL * self.page.area
            if shape.box.common(box) > 4 and not carries:
                found.append(shape.box)
        return found


def _slot(shape: Element, layout: Element, master: Element, fonts: ThemeFonts, palette: Palette) -> Slot | None:
    chain = inherit.ancestry(shape, None, master)
    place = inherit.transform(chain)
    ph: Element = inherit.placeholder(shape)
    if place is None:
        return None
    kind = inherit.ph_type(ph)
    styles = list(inherit.list_styles(chain, master, 0))
    latin = inherit.run_value(styles, None, inherit.latin_of)
    wide = inherit.run_value(styles, None, inherit.wide_of)
    major = kind in TITLES
    insets = tuple(
        int(inherit.body_property(chain, f"{side}Ins") or (91440, 45720)[side in "tb"]) / 12700 for side in "ltrb"
    )
    theme_pair = ("+mj-lt", "+mj-ea") if major else ("+mn-lt", "+mn-ea")
    return Slot(
        kind=kind,
        index=inherit.ph_index(ph),
        box=_box(place),
        size=inherit.run_value(styles, None, inherit.size_of) or 18.0,
        bold=bool(inherit.run_value(styles, None, inherit.bold_of)),
        face=fonts.resolve(latin, wide, major=major),
        fonts=Fonts(latin or theme_pair[0], wide or theme_pair[1]),
        color=color_of(inherit.run_value(styles, None, inherit.fill_of), palette),
        insets=insets,  # type: ignore[arg-type]
        vertical=(ph.get("orient") == "vert") or (inherit.body_property(chain, "vert") or "horz") != "horz",
        indents=tuple(_indent(chain, master, level) for level in range(5)),
        text="".join(t.text or "" for t in shape.iter(qn("a:t"))).strip(),
        fill=own_fill(chain, palette),
    )


FILLS = {qn(f"a:{kind}Fill") for kind in ("solid", "grad", "patt", "blip", "no", "grp")}


def own_fill(chain: list[Element], palette: Palette) -> RGB | None:
    """The fill of a placeholder or of the nearest one it inherits from; None without one, or when it is a picture."""
    for shape in chain:
        properties = shape.find(qn("p:spPr"))
        if properties is not None and any(child.tag in FILLS for child in properties):
            return solid_of(properties, palette)
    return None


def _indent(chain: list[Element], master: Element, level: int) -> float:
    """Left margin of a level, in points."""
    for style in inherit.list_styles(chain, master, level):
        if style.get("marL") is not None:
            return int(style.get("marL")) / 12700
    return 0.0


def _box(place: Element) -> Box:
    off, ext = place.find(qn("a:off")), place.find(qn("a:ext"))
    return Box.of_emu(int(off.get("x")), int(off.get("y")), int(ext.get("cx")), int(ext.get("cy")))


def _fixed(holder: Any, palette: Palette) -> Iterator[Fixed]:
    tree = holder.element.find(f"{qn('p:cSld')}/{qn('p:spTree')}")
    for shape in tree:
        if shape.tag not in {qn(t) for t in ("p:sp", "p:pic", "p:grpSp", "p:cxnSp", "p:graphicFrame")}:
            continue
        place = inherit.transform([shape])
        if inherit.placeholder(shape) is not None or place is None or _hidden(shape):
            continue
        blip = shape.find(f"{qn('p:blipFill')}/{qn('a:blip')}") if shape.tag == qn("p:pic") else None
        embedded = blip is not None and blip.get(qn("r:embed"))
        fill = picture_color(holder.part, blip) if embedded else solid_of(shape.find(qn("p:spPr")), palette)
        yield Fixed(_box(place), fill, shape.tag == qn("p:cxnSp"))


def _hidden(shape: Element) -> bool:
    properties = shape.find(f"./*/{qn('p:cNvPr')}")
    return properties is not None and properties.get("hidden") in ("1", "true")


def profile(layout: SlideLayout, number: int, master_number: int, page: Box) -> LayoutProfile:
    master = layout.slide_master
    theme = theme_root(master.part)
    palette = palette_for(theme, master.element, layout.element)
    fonts = fonts_of(theme)
    shapes = [s for s in layout.element.cSld.spTree if inherit.placeholder(s) is not None]
    slots = [s for s in (_slot(e, layout.element, master.element, fonts, palette) for e in shapes) if s is not None]
    shows_master = layout.element.get("showMasterSp") not in ("0", "false")
    fixed = [*(_fixed(master, palette) if shows_master else ()), *_fixed(layout, palette)]
    background = background_of(layout, theme, palette)
    for shape in fixed:
        if shape.box.common(page) >= FULL * page.area and shape.fill is not None:
            background = shape.fill
    return LayoutProfile(
        number=number,
        master=master_number,
        name=layout.name,
        declared=layout.element.get("type") or "cust",
        layout=layout,
        page=page,
        slots=tuple(slots),
        fixed=tuple(fixed),
        background=background,
        palette=palette,
        fonts=fonts,
    )


def profiles(prs: Any) -> list[LayoutProfile]:
    page = Box.of_emu(0, 0, prs.slide_width, prs.slide_height)
    found: list[LayoutProfile] = []
    for master_number, master in enumerate(prs.slide_masters):
        for layout in master.slide_layouts:
            found.append(profile(layout, len(found) + 1, master_number, page))
    return found
