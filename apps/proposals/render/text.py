"""Paragraphs: their XML (``a:latin`` and ``a:ea`` on every run, in schema order) and the size at which they fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Literal

from apps.proposals.render.color import Color
from apps.proposals.render.measure import MARGIN, Measured, Typeface, clusters, height, is_wide, wrap
from apps.proposals.render.xml import Element, drop, el, qn

Align = Literal["l", "ctr", "r"]
SPACING = 1.13  # line spacing of running text
LOCALES = {"ja": ("ja-JP", "en-US"), "en": ("en-US", "ja-JP")}

# A figure with its unit, as one reads it: 1,240万円, 12.5%, JPY 7.6 million, 10年.
FIGURE = re.compile(
    r"(?<![\d.,])(?!(?:19|20)\d\d年)(?:(?:JPY|USD|EUR|US\$|[¥￥$€])\s?)?[+\-−▲△±約]?\d[\d,]*(?:\.\d+)?"
    r"(?:\s?(?:million|billion|thousand|bn|mn|m|k|%|％|percent|points?|bps?)(?![A-Za-z])"
    r"|(?:兆|億|百万|千万|万|千)?(?:円|ドル|ユーロ|元|時間|か月|ヶ月|カ月|ポイント|年間|年(?![目度\d月])|名|人|社|件|倍|割|台|拠点|店舗|bp|pt))"
)


@dataclass(frozen=True)
class Span:
    text: str
    bold: bool | None = None
    color: Color | None = None
    size: float | None = None


@dataclass(frozen=True)
class Para:
    """One paragraph. ``bullet`` hangs in ``indent`` points;"""

    spans: tuple[Span, ...]
    size: float
    bold: bool = False
    color: Color | None = None
    align: Align = "l"
    level: int = 0
    bullet: str = ""
    bullet_color: Color | None = None
    indent: float = 0.0
    before: float = 0.0
    spacing: float = SPACING

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)

    def scaled(self, factor: float) -> Para:
        spans = tuple(replace(s, size=s.size * factor if s.size else None) for s in self.spans)
        return replace(
            self, spans=spans, size=self.size * factor, indent=self.indent * factor, before=self.before * factor
        )


def para(text: str | Iterable[Span], size: float, **options: object) -> Para:
    spans = (Span(text),) if isinstance(text, str) else tuple(text)
    return Para(spans, size, **options)  # type: ignore[arg-type]


def emphasised(text: str, color: Color) -> tuple[Span, ...]:
    """The text with its figures in bold and in ``color``; the text itself is not changed."""
    spans, at = [], 0
    for match in FIGURE.finditer(text):
        if match.start() > at:
            spans.append(Span(text[at : match.start()]))
        spans.append(Span(match.group(), bold=True, color=color))
        at = match.end()
    if at < len(text):
        spans.append(Span(text[at:]))
    return tuple(spans) or (Span(""),)


def measured(paragraph: Para) -> Measured:
    """Bold spans make lines wider: a paragraph with any is measured bold."""
    bold = paragraph.bold or any(span.bold for span in paragraph.spans)
    size = max([paragraph.size, *(span.size or 0 for span in paragraph.spans)])
    return Measured(paragraph.text, size, bold, paragraph.indent, paragraph.before, paragraph.spacing)


def text_height(paragraphs: Sequence[Para], width: float, face: Typeface) -> float:
    return height([measured(p) for p in paragraphs], width, face)


def fits(paragraphs: Sequence[Para], width: float, room: float, face: Typeface) -> bool:
    return text_height(paragraphs, width, face) <= room


def largest(sizes: Iterable[float], good: Callable[[float], bool]) -> float | None:
    """The first of the sizes, which are given from large to small, that is good."""
    return next((size for size in sizes if good(size)), None)


def sizes(most: float, least: float) -> list[float]:
    """Steps of one point from ``most`` down to ``least``, both included."""
    steps = [float(most)]
    while steps[-1] - 1 > least:
        steps.append(steps[-1] - 1)
    return [*steps, float(least)] if steps[-1] != least else steps


# ---- XML -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fonts:
    """What is written into ``a:latin`` and ``a:ea``: theme references or the template's own faces."""

    latin: str = "+mn-lt"
    wide: str = "+mn-ea"


def run_properties(
    tag: str, size: float | None, bold: bool | None, color: Color | None, fonts: Fonts, language: str
) -> Element:
    locale, other = LOCALES[language]
    return el(
        tag,
        color.fill() if color else None,
        el("a:latin", typeface=fonts.latin),
        el("a:ea", typeface=fonts.wide),
        lang=locale,
        altLang=other,
        sz=round(size * 100) if size else None,
        b=None if bold is None else int(bold),
        dirty=0,
    )


def _run(span: Span, paragraph: Para, fonts: Fonts, language: str) -> list[Element]:
    bold = paragraph.bold if span.bold is None else span.bold
    out: list[Element] = []
    for number, piece in enumerate(clean(span.text).replace("\v", "\n").split("\n")):
        size, color = span.size or paragraph.size, span.color or paragraph.color
        if number:
            out.append(el("a:br", run_properties("a:rPr", size, bold, color, fonts, language)))
        if piece:
            properties = run_properties("a:rPr", size, bold, color, fonts, language)
            out.append(el("a:r", properties, el("a:t", text=piece)))
    return out


def clean(text: str) -> str:
    """Without the control characters that XML forbids (tab and line breaks stay)."""
    return "".join(
        c for c in text if c >= " " or c in "\t\n\v" if not 0xD800 <= ord(c) <= 0xDFFF and c not in "\ufffe\uffff"
    )


def _paragraph_properties(paragraph: Para, *, inherit: bool) -> Element:
    """With ``inherit`` the placeholder's own bullets and indents stay."""
    hang = paragraph.indent if paragraph.bullet else 0.0
    bullets: list[Element | None] = [] if inherit else [el("a:buNone")]
    if paragraph.bullet:
        color = el("a:buClr", paragraph.bullet_color.element()) if paragraph.bullet_color else None
        bullets = [color, el("a:buFont", typeface="Arial"), el("a:buChar", char=paragraph.bullet)]
    return el(
        "a:pPr",
        el("a:lnSpc", el("a:spcPct", val=round(paragraph.spacing * 100_000))),
        el("a:spcBef", el("a:spcPts", val=round(paragraph.before * 100))),
        el("a:spcAft", el("a:spcPts", val=0)),
        *bullets,
        lvl=paragraph.level or None,
        algn=None if inherit else paragraph.align,
        marL=None if inherit else round(paragraph.indent * 12700),
        indent=None if inherit else round(-hang * 12700),
    )


def paragraph_element(paragraph: Para, fonts: Fonts, language: str, *, inherit: bool = False) -> Element:
    runs = [element for span in paragraph.spans for element in _run(span, paragraph, fonts, language)]
    bold = paragraph.bold
    end = run_properties("a:endParaRPr", paragraph.size, bold, None, fonts, language)
    return el("a:p", _paragraph_properties(paragraph, inherit=inherit), *runs, end)


def fill(body: Element, paragraphs: Sequence[Para], fonts: Fonts, language: str, *, inherit: bool = False) -> None:
    """Replace the paragraphs of a ``p:txBody`` (or ``a:txBody``)."""
    for old in body.findall(qn("a:p")):
        drop(old)
    for paragraph in paragraphs or [Para((), 12)]:
        body.append(paragraph_element(paragraph, fonts, language, inherit=inherit))


# ---- phrase breaks for titles and cards ------------------------------------------------------------------------------


@cache
def _phrase_parser() -> object:
    import budoux

    return budoux.load_default_japanese_parser()


def phrases(text: str) -> list[str]:
    return list(_phrase_parser().parse(text)) if text else []  # type: ignore[attr-defined]


def balanced(text: str, width: float, size: float, face: Typeface, *, bold: bool, language: str) -> str:
    """A Japanese title of two or more lines broken at phrase ends, lines of similar length; else unchanged.

    Never more lines than plain wrapping makes.
    """
    lines = wrap(text, width, size, face, bold=bold)
    if language != "ja" or len(lines) < 2 or "\n" in text or "\v" in text:
        return text
    pieces = phrases(text)
    best = _split(pieces, len(lines), width * MARGIN, size, face, bold)
    return "\v".join(best) if best else text


def _split(pieces: list[str], count: int, room: float, size: float, face: Typeface, bold: bool) -> list[str] | None:
    """Phrases on ``count`` lines, the longest as short as possible (dynamic programming over break positions)."""
    widths = [face.width(piece, size, bold=bold) for piece in pieces]
    best: dict[tuple[int, int], tuple[float, list[int]]] = {(0, 0): (0.0, [])}
    for line in range(1, count + 1):
        for end in range(1, len(pieces) + 1):
            options = []
            for start in range(end):
                before = best.get((line - 1, start))
                wide = sum(widths[start:end])
                if before is not None and wide <= room and _may_break(pieces, start):
                    options.append((max(before[0], wide), [*before[1], start]))
            if options:
                best[line, end] = min(options, key=lambda option: option[0])
    found = best.get((count, len(pieces)))
    if found is None:
        return None
    starts = [*found[1], len(pieces)]
    return ["".join(pieces[a:b]) for a, b in pairwise(starts)]


def _may_break(pieces: list[str], start: int) -> bool:
    """Not within a kinsoku pair, nor between a figure and its unit."""
    if start == 0:
        return True
    before, after = pieces[start - 1][-1:], pieces[start][:1]
    return len(clusters(before + after)) > 1 and not (before.isdigit() and is_wide(after))
