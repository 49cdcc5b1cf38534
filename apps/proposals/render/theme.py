"""Theme parts: read fonts and colours, fill the East Asian font that most templates leave empty."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from lxml import etree
from PIL import Image
from pptx.opc.constants import RELATIONSHIP_TYPE as RT
from pptx.oxml import parse_xml

from apps.proposals.render.color import BLACK, RGB, WHITE, Palette, luminance, palette_of, parse_hex, shifted
from apps.proposals.render.fonts import DEFAULT_FACE, DEFAULT_SERIF, looks_serif
from apps.proposals.render.measure import Typeface
from apps.proposals.render.xml import Element, qn

# Presets that stand for "nobody chose": the face PowerPoint takes for Japanese when ea is empty is outdated there.
STALE = {"ＭＳ Ｐゴシック", "ＭＳ ゴシック", "ＭＳ Ｐ明朝", "MS PGothic", "MS Gothic", "HG丸ｺﾞｼｯｸM-PRO"}


def theme_root(part: Any) -> Element:
    """The theme element of a master's (or notes master's) part."""
    return parse_xml(part.part_related_by(RT.THEME).blob)


@dataclass(frozen=True)
class ThemeFonts:
    major: Typeface
    minor: Typeface

    def resolve(self, latin: str | None, wide: str | None, *, major: bool = False) -> Typeface:
        """Actual faces behind references such as ``+mn-ea``."""
        base = self.major if major else self.minor
        return Typeface(self._named(latin) or base.latin, self._named(wide) or base.wide)

    def _named(self, face: str | None) -> str | None:
        named = {
            "+mj-lt": self.major.latin,
            "+mn-lt": self.minor.latin,
            "+mj-ea": self.major.wide,
            "+mn-ea": self.minor.wide,
        }
        return named.get(face, face) if face else None


def fonts_of(theme: Element) -> ThemeFonts:
    def pair(kind: str) -> Typeface:
        return Typeface(_face(theme, kind, "latin") or DEFAULT_FACE, _face(theme, kind, "ea") or DEFAULT_FACE)

    return ThemeFonts(pair("majorFont"), pair("minorFont"))


def _face(theme: Element, kind: str, script: str) -> str:
    found = theme.find(f".//{qn('a:' + kind)}/{qn('a:' + script)}")
    return "" if found is None else found.get("typeface") or ""


def missing_wide(theme: Element) -> list[str]:
    """``majorFont``/``minorFont`` where the East Asian face is empty."""
    return [kind for kind in ("majorFont", "minorFont") if not _face(theme, kind, "ea")]


def _choose_wide(theme: Element, kind: str) -> str:
    """The theme's own choice for Japanese (script Jpan) unless stale, else a UD face of the Latin face's class."""
    for font in theme.findall(f".//{qn('a:' + kind)}/{qn('a:font')}"):
        if font.get("script") == "Jpan" and font.get("typeface") and font.get("typeface") not in STALE:
            return str(font.get("typeface"))
    return DEFAULT_SERIF if looks_serif(_face(theme, kind, "latin")) else DEFAULT_FACE


def repair(part: Any) -> dict[str, str]:
    """Fill empty East Asian faces of a master's theme part; returns what was filled: kind → face."""
    theme_part = part.part_related_by(RT.THEME)
    theme = parse_xml(theme_part.blob)
    filled = {}
    for kind in missing_wide(theme):
        face = _choose_wide(theme, kind)
        holder = theme.find(f".//{qn('a:' + kind)}/{qn('a:ea')}")
        if holder is not None:
            holder.set("typeface", face)
            filled[kind] = face
    if filled:
        theme_part._blob = etree.tostring(theme, xml_declaration=True, encoding="UTF-8", standalone=True)
    return filled


def color_map(master: Element, layout: Element | None = None) -> dict[str, str]:
    """``p:clrMap`` of the master, or the override of a layout (or slide)."""
    override = None if layout is None else layout.find(f"{qn('p:clrMapOvr')}/{qn('a:overrideClrMapping')}")
    if override is not None:
        return dict(override.attrib)
    found = master.find(qn("p:clrMap"))
    return {} if found is None else dict(found.attrib)


def palette_for(theme: Element, master: Element, layout: Element | None = None) -> Palette:
    return palette_of(theme, color_map(master, layout))


SYSTEM = {"window": WHITE, "windowText": BLACK}


def color_of(element: Element | None, palette: Palette, placeholder: RGB | None = None) -> RGB | None:
    """RGB of a colour element with its lum/shade/tint changes; None when it cannot be told (``phClr`` without help)."""
    if element is None:
        return None
    base = _base_color(element, palette, placeholder)
    if base is None:
        return None
    for change in element:
        base = _changed(base, change.tag.partition("}")[2], int(change.get("val") or 0) / 100_000)
    return base


def _base_color(element: Element, palette: Palette, placeholder: RGB | None) -> RGB | None:
    kind, value = element.tag.partition("}")[2], element.get("val") or ""
    if kind == "srgbClr" and len(value) == 6:
        return parse_hex(value)
    if kind == "schemeClr":
        return placeholder if value == "phClr" else palette.colors.get(value)
    if kind == "sysClr":
        return parse_hex(element.get("lastClr")) if element.get("lastClr") else SYSTEM.get(value)
    if kind == "prstClr":
        return {"white": WHITE, "black": BLACK}.get(value)
    if kind == "scrgbClr":
        red, green, blue = (round(255 * int(element.get(c) or 0) / 100_000) for c in "rgb")
        return red, green, blue
    return None


def _changed(rgb: RGB, kind: str, share: float) -> RGB:
    if kind == "lumMod":
        return shifted(rgb, share, 0)
    if kind == "lumOff":
        return shifted(rgb, 1, share)
    if kind == "shade":
        return tuple(round(c * share) for c in rgb)  # type: ignore[return-value]
    if kind == "tint":
        return tuple(round(255 - (255 - c) * share) for c in rgb)  # type: ignore[return-value]
    return rgb


def solid_of(properties: Element | None, palette: Palette) -> RGB | None:
    """RGB of ``a:solidFill`` (or the mean of a gradient) directly inside ``properties``."""
    if properties is None:
        return None
    fill = properties.find(qn("a:solidFill"))
    if fill is not None and len(fill):
        return color_of(fill[0], palette)
    stops = properties.findall(f"{qn('a:gradFill')}/{qn('a:gsLst')}/{qn('a:gs')}")
    found = [rgb for stop in stops if len(stop) and (rgb := color_of(stop[0], palette)) is not None]
    return mean(found) if found else None


def mean(colors: list[RGB]) -> RGB:
    red, green, blue = (round(sum(c[i] for c in colors) / len(colors)) for i in range(3))
    return red, green, blue


def background_of(layout: Any, theme: Element, palette: Palette) -> RGB | None:
    """Colour behind a layout (python-pptx object), the mean where a picture fills it; None if it cannot be told."""
    for holder in (layout, layout.slide_master):
        back = holder.element.find(f"{qn('p:cSld')}/{qn('p:bg')}")
        if back is None:
            continue
        properties = back.find(qn("p:bgPr"))
        if properties is None:
            return _referenced(back.find(qn("p:bgRef")), theme, palette)
        blip = properties.find(f"{qn('a:blipFill')}/{qn('a:blip')}")
        return solid_of(properties, palette) if blip is None else picture_color(holder.part, blip)
    return palette.colors.get("bg1", WHITE)


def picture_color(part: Any, blip: Element) -> RGB | None:
    """Mean colour of an embedded picture; None for vector formats that Pillow cannot read."""
    try:
        with Image.open(io.BytesIO(part.related_part(blip.get(qn("r:embed"))).blob)) as image:
            pixel = image.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    except (OSError, KeyError):
        return None
    return pixel  # type: ignore[return-value]


def _referenced(reference: Element | None, theme: Element, palette: Palette) -> RGB | None:
    """``p:bgRef``: the theme's background fill number idx - 1000 in the colour given."""
    if reference is None:
        return None
    given = color_of(reference[0], palette) if len(reference) else None
    fills = theme.find(".//" + qn("a:bgFillStyleLst"))
    index = int(reference.get("idx") or 0) - 1001
    if fills is None or not 0 <= index < len(fills):
        return given
    stops = fills[index].findall(f".//{qn('a:gs')}") or [fills[index]]
    found = [rgb for s in stops if len(s) and (rgb := color_of(s[0], palette, given)) is not None]
    return mean(found) if found else given


def is_dark(rgb: RGB) -> bool:
    return luminance(rgb) < 0.18
