"""Theme colours: tokens with luminance changes, their RGB under a palette, contrast (WCAG 2.2)."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from apps.proposals.render.xml import Element, el, qn

RGB = tuple[int, int, int]
WHITE: RGB = (255, 255, 255)
BLACK: RGB = (0, 0, 0)


def parse_hex(text: str) -> RGB:
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)


def luminance(rgb: RGB) -> float:
    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(channel) for channel in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: RGB, second: RGB) -> float:
    """1 (same) to 21 (black on white)."""
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def shifted(rgb: RGB, mod: float, off: float) -> RGB:
    """``lumMod`` and ``lumOff`` (1.0 = 100 %) applied to the HSL luminance."""
    hue, light, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in rgb))
    light = min(1.0, max(0.0, light * mod + off))
    red, green, blue = colorsys.hls_to_rgb(hue, light, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


@dataclass(frozen=True)
class Color:
    """A theme colour: ``token`` is a scheme name (tx1, bg2, accent3 …), ``mod``/``off`` in percent."""

    token: str
    mod: int = 100
    off: int = 0

    def element(self) -> Element:
        return el(
            "a:schemeClr",
            el("a:lumMod", val=self.mod * 1000) if self.mod != 100 else None,
            el("a:lumOff", val=self.off * 1000) if self.off else None,
            val=self.token,
        )

    def fill(self) -> Element:
        return el("a:solidFill", self.element())


DARKEST, LIGHTEST = Color("tx1", 0), Color("bg1", 0, 100)  # black and white, whatever the theme


@dataclass(frozen=True)
class Palette:
    """The twelve theme colours under the master's colour map (bg1 … folHlink → RGB)."""

    colors: Mapping[str, RGB] = field(default_factory=dict)

    def rgb(self, color: Color) -> RGB:
        return shifted(self.colors.get(color.token, BLACK), color.mod / 100, color.off / 100)

    def best(self, candidates: Iterable[Color], on: RGB, *, least: float = 4.5) -> Color:
        """The first candidate readable on ``on``; if none is, black or white (as extremes of a theme colour)."""
        listed = list(candidates)
        for color in listed:
            if contrast(self.rgb(color), on) >= least:
                return color
        return max((*listed, DARKEST, LIGHTEST), key=lambda color: contrast(self.rgb(color), on))


MAPPED = (
    "bg1",
    "tx1",
    "bg2",
    "tx2",
    "accent1",
    "accent2",
    "accent3",
    "accent4",
    "accent5",
    "accent6",
    "hlink",
    "folHlink",
)


def palette_of(theme: Element, color_map: Mapping[str, str]) -> Palette:
    """Colours of a theme element under a ``p:clrMap`` (bg1 → lt1 …)."""
    scheme = theme.find(".//" + qn("a:clrScheme"))
    plain: dict[str, RGB] = {}
    for entry in scheme if scheme is not None else ():
        for value in entry:
            text = value.get("val") if value.tag == qn("a:srgbClr") else value.get("lastClr")
            if text and len(text) == 6:
                plain[entry.tag.partition("}")[2]] = parse_hex(text)
    defaults = {"bg1": "lt1", "tx1": "dk1", "bg2": "lt2", "tx2": "dk2"}
    named = {name: plain.get(color_map.get(name, defaults.get(name, name)), BLACK) for name in MAPPED}
    return Palette(plain | named)


def tints(token: str) -> list[Color]:
    """A colour, then darker, then lighter forms of it: candidates for text in that hue."""
    return [
        Color(token),
        Color(token, 75),
        Color(token, 50),
        Color(token, 60, 40),
        Color(token, 40, 60),
        Color(token, 20, 80),
    ]


@dataclass(frozen=True)
class Scheme:
    """Design roles on one background: every text role is readable (4.5:1) on the fill named with it."""

    palette: Palette
    background: RGB
    ink: Color
    muted: Color
    brand: Color
    on_brand: Color
    accent: Color
    accent_text: Color
    surface: Color
    on_surface: Color
    accent_on_surface: Color
    line: Color
    alert: Color

    def on(self, fill: Color) -> Color:
        return self.palette.best(texts(self.palette), self.palette.rgb(fill))


def texts(palette: Palette) -> list[Color]:
    """Text colours of a theme, darkest and lightest included."""
    return [Color("bg1"), Color("tx1"), Color("tx2"), Color("bg2"), Color("tx1", 50), Color("bg1", 20, 80)]


def scheme_on(palette: Palette, background: RGB, text: Color | None = None) -> Scheme:
    """Choose the design roles for a background; ``text`` is the template's own body colour, kept if readable."""
    candidates = [text] if text is not None else []
    ink = palette.best([*candidates, Color("tx1"), Color("bg1"), Color("tx2"), Color("bg2")], background)
    dark = luminance(background) < 0.18
    surface = _surface(palette, background, dark)
    on_surface = palette.best([ink, Color("tx1"), Color("bg1")], palette.rgb(surface))
    brand = _brand(palette, background)
    return Scheme(
        palette=palette,
        background=background,
        ink=ink,
        muted=palette.best([Color(ink.token, 65, 35), Color(ink.token, 75, 25), Color(ink.token, 75), ink], background),
        brand=brand,
        on_brand=palette.best([Color("bg1"), Color("tx1")], palette.rgb(brand)),
        accent=palette.best(tints("accent1"), background, least=3.0),
        accent_text=palette.best([*tints("accent1"), ink], background),
        surface=surface,
        on_surface=on_surface,
        accent_on_surface=palette.best([*tints("accent1"), on_surface], palette.rgb(surface)),
        line=_line(palette, background, dark),
        alert=palette.best([*tints(_warm(palette)), ink], palette.rgb(surface), least=3.0),
    )


def _surface(palette: Palette, background: RGB, dark: bool) -> Color:
    """Fill of cards: a shade just off the background, so that text colours stay readable on it."""
    base = "bg1" if contrast(palette.rgb(Color("bg1")), background) < 1.2 else "bg2"
    tokens = [base, *(token for token in ("bg1", "bg2", "tx1", "tx2") if token != base)]
    changes = [(85, 15), (90, 10), (75, 25), (75, 0)] if dark else [(100, 0), (95, 0), (90, 0), (85, 0)]
    options = [Color("bg2"), *(Color(token, mod, off) for token in tokens for mod, off in changes)]
    for option in options:
        if 1.04 <= contrast(palette.rgb(option), background) <= 1.45:
            return option
    return Color("bg1")


def _line(palette: Palette, background: RGB, dark: bool) -> Color:
    for option in [
        Color("bg1", 85),
        Color("bg2", 90),
        Color("bg1", 75, 25),
        Color("tx1", 50, 50),
        Color("bg1", 65, 35),
    ]:
        if 1.2 <= contrast(palette.rgb(option), background) <= 3.5:
            return option
    return Color("tx1", 50, 50)


def _brand(palette: Palette, background: RGB) -> Color:
    """The strong fill: dark blue of most themes (tx2), else the first accent, when it stands out."""
    white = max(contrast(palette.rgb(Color("bg1")), palette.rgb(Color("tx2"))), 1)
    coloured = colorsys.rgb_to_hls(*(c / 255 for c in palette.rgb(Color("tx2"))))[2] > 0.2
    first = [Color("tx2")] if white >= 4.5 and coloured else []
    options = [*first, Color("accent1"), Color("accent1", 75), Color("accent1", 50), Color("tx1")]
    for option in options:
        rgb = palette.rgb(option)
        readable = max(contrast(palette.rgb(Color("bg1")), rgb), contrast(palette.rgb(Color("tx1")), rgb)) >= 4.5
        if readable and contrast(rgb, background) >= 1.8:
            return option
    return Color("accent1")


def _warm(palette: Palette) -> str:
    """The accent nearest to red or orange, for risks."""

    def distance(token: str) -> float:
        hue, _, saturation = colorsys.rgb_to_hls(*(c / 255 for c in palette.rgb(Color(token))))
        return min(abs(hue - 0.03), abs(hue - 1.03)) + (0.5 if saturation < 0.25 else 0)

    return min((f"accent{n}" for n in range(1, 7)), key=distance)
