"""Draw on one slide: named native shapes in theme colours, text with both fonts, no effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from apps.proposals.model import Deck, Finding
from apps.proposals.render.color import Color, Scheme
from apps.proposals.render.geometry import Box, emu
from apps.proposals.render.measure import Typeface
from apps.proposals.render.text import Fonts, Para, fill, text_height
from apps.proposals.render.words import NAMES, Language, finding, label, say
from apps.proposals.render.xml import A16, DECORATIVE, Element, add_extension, el, foreign, qn

Insets = tuple[float, float, float, float]
NO_INSETS: Insets = (0, 0, 0, 0)
DECORATIVE_URI = "{C183D7F6-B498-43B3-948B-1728B52AA6E4}"


@dataclass
class Kit:
    """All that the layouts need to know of the deck and of the layout they draw on."""

    deck: Deck
    language: Language
    scheme: Scheme
    face: Typeface
    fonts: Fonts
    page: Box
    findings: list[Finding] = field(default_factory=list)

    @property
    def small(self) -> bool:
        """4:3 and other narrow pages."""
        return self.page.w < 800

    def height(self, paragraphs: Sequence[Para], width: float) -> float:
        return text_height(paragraphs, width, self.face)

    def label(self, key: str, *values: object, **named: object) -> str:
        return label(key, self.language, *values, **named)

    def tell(self, rule: str, severity: Any, slide: str, *values: object) -> None:
        made = finding(rule, severity, slide, self.language, *values)
        if made not in self.findings:
            self.findings.append(made)


class Canvas:
    """The drawing surface of one slide; shapes are added in reading order."""

    def __init__(self, slide: Any, kit: Kit) -> None:
        self.slide, self.kit = slide, kit
        self.tree = slide.shapes._spTree
        self.left_out: list[str] = []  # full texts of what had to be shortened while drawing
        self._count: dict[str, int] = {}

    def _head(self, name: str, *, alt: str = "", decorative: bool = False, kind: str = "p:nvSpPr") -> Element:
        count = self._count[name] = self._count.get(name, 0) + 1
        shown = say(NAMES, name, self.kit.language) + f" {count}"
        ids = [int(e.get("id")) for e in self.tree.iter(qn("p:cNvPr"))]
        properties = el("p:cNvPr", id=max(ids, default=1) + 1, name=shown, descr=alt or None)
        if decorative:
            add_extension(properties, DECORATIVE_URI, foreign(DECORATIVE, "adec", "decorative", val=1))
        inner = {"p:nvSpPr": "p:cNvSpPr", "p:nvCxnSpPr": "p:cNvCxnSpPr"}[kind]
        return el(kind, properties, el(inner), el("p:nvPr"))

    def shape(
        self,
        name: str,
        box: Box,
        *,
        form: str = "rect",
        fill_color: Color | None = None,
        line: Color | None = None,
        line_width: float = 0.75,
        paras: Sequence[Para] = (),
        anchor: str = "t",
        insets: Insets = NO_INSETS,
        adjust: Mapping[str, int] | None = None,
        text_box: bool = False,
    ) -> Element:
        """A preset shape with text. Without text it is marked as decoration for screen readers."""
        head = self._head(name, decorative=not paras)
        if text_box:
            head.find(qn("p:cNvSpPr")).set("txBox", "1")
        guides = [el("a:gd", name=key, fmla=f"val {value}") for key, value in (adjust or {}).items()]
        outline = el("a:ln", line.fill(), w=emu(line_width)) if line else el("a:ln", el("a:noFill"))
        place = el(
            "a:xfrm", el("a:off", x=emu(box.x), y=emu(box.y)), el("a:ext", cx=emu(max(box.w, 0)), cy=emu(max(box.h, 0)))
        )
        properties = el(
            "p:spPr",
            place,
            el("a:prstGeom", el("a:avLst", *guides), prst=form),
            fill_color.fill() if fill_color else el("a:noFill"),
            outline,
        )
        body = self._text(paras, anchor, insets, fill_color)
        made = el("p:sp", head, properties, body)
        self.tree.append(made)
        return made

    def _text(self, paras: Sequence[Para], anchor: str, insets: Insets, ground: Color | None) -> Element:
        sides: dict[str, Any] = {f"{side}Ins": emu(value) for side, value in zip("ltrb", insets, strict=True)}
        body = el(
            "p:txBody",
            el("a:bodyPr", el("a:noAutofit"), wrap="square", rtlCol=0, anchor=anchor, **sides),
            el("a:lstStyle"),
        )
        scheme = self.kit.scheme
        default = scheme.on(ground) if ground else scheme.ink
        coloured = [p if p.color else replace(p, color=default) for p in paras]
        fill(body, coloured, self.kit.fonts, self.kit.language)
        return body

    def text(self, box: Box, paras: Sequence[Para], *, name: str = "text", anchor: str = "t") -> Element:
        return self.shape(name, box, paras=paras, anchor=anchor, text_box=True)

    def rule(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        color: Color | None = None,
        width: float = 0.75,
        *,
        dash: bool = False,
    ) -> Element:
        """A straight line."""
        return self._connector("line", "line", (x1, y1), (x2, y2), color or self.kit.scheme.line, width, dash=dash)

    def elbow(self, upper: Element, lower: Element, start: tuple[float, float], end: tuple[float, float]) -> Element:
        """A connector glued to the bottom of one shape and the top of another."""
        straight = abs(start[0] - end[0]) < 0.5
        made = self._connector(
            "straightConnector1" if straight else "bentConnector3",
            "line",
            start,
            end,
            self.kit.scheme.muted,
            1.25,
            turned=not straight,
        )
        inner = made.find(f"{qn('p:nvCxnSpPr')}/{qn('p:cNvCxnSpPr')}")
        for tag, shape, site in (("a:stCxn", upper, 2), ("a:endCxn", lower, 0)):
            inner.append(el(tag, id=shape.find(f"./*/{qn('p:cNvPr')}").get("id"), idx=site))
        return made

    def _connector(
        self,
        form: str,
        name: str,
        start: tuple[float, float],
        end: tuple[float, float],
        color: Color,
        width: float,
        *,
        dash: bool = False,
        turned: bool = False,
    ) -> Element:
        head = self._head(name, decorative=True, kind="p:nvCxnSpPr")
        (x1, y1), (x2, y2) = start, end
        left, top, wide, high = min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)
        flips: dict[str, Any] = {}
        if turned:  # a bent connector that leaves downwards is drawn lying, then turned by 90 degrees
            middle_x, middle_y = left + wide / 2, top + high / 2
            left, top, wide, high = middle_x - high / 2, middle_y - wide / 2, high, wide
            flips = {"rot": 5400000} if x2 < x1 else {"rot": 16200000, "flipH": 1}
        elif (x2 < x1) != (y2 < y1):
            flips = {"flipV": 1}
        place = el("a:xfrm", el("a:off", x=emu(left), y=emu(top)), el("a:ext", cx=emu(wide), cy=emu(high)), **flips)
        stroke = el("a:ln", color.fill(), el("a:prstDash", val="dash") if dash else None, w=emu(width))
        made = el("p:cxnSp", head, el("p:spPr", place, el("a:prstGeom", el("a:avLst"), prst=form), stroke))
        self.tree.append(made)
        return made

    def frame(self, graphic: Any, name: str, alt: str) -> None:
        """Name and describe a graphic frame (chart, table) that python-pptx made."""
        count = self._count[name] = self._count.get(name, 0) + 1
        graphic.name = say(NAMES, name, self.kit.language) + f" {count}"
        properties = graphic._element.find(f"./*/{qn('p:cNvPr')}")
        properties.set("descr", alt[:1000])


def creation_guid(number: int) -> str:
    """A GUID from a 32-bit number, for ``a16:creationId``."""
    return f"{{{number:08X}-0000-4000-8000-{number:012X}}}"


def stamp_ids(slide: Any, seed: int) -> None:
    """New creation ids: of the slide, and of each shape by its order, so that edited decks can be compared by id."""
    for number, properties in enumerate(slide.element.iter(qn("p:cNvPr"))):
        if properties.get("id") == "1":
            continue
        guid = creation_guid((seed + number * 2654435761) % 2**32)
        add_extension(properties, "{FF2B5EF4-FFF2-40B4-BE49-F238E27FC236}", foreign(A16, "a16", "creationId", id=guid))
