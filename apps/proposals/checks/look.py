"""The look gate: what a viewer would see wrong, measured on the finished file. Thresholds: module constants.

Text is measured with the real fonts, as when rendering; nothing here looks at pixels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

from pptx import Presentation

from apps.proposals.checks.cells import as_shape, cells
from apps.proposals.checks.objects import chart_findings, link_findings, picture_findings
from apps.proposals.checks.shapes import Reader, Shape, SlideFacts
from apps.proposals.checks.words import Severity, told
from apps.proposals.model import Finding
from apps.proposals.render import inherit
from apps.proposals.render.color import contrast
from apps.proposals.render.deck import PageInfo
from apps.proposals.render.geometry import Box
from apps.proposals.render.measure import is_wide, wrap
from apps.proposals.render.words import NAMES, Language
from apps.proposals.render.xml import qn

FULL, TIGHT = 1.02, 0.97  # share of the frame: beyond it is overflow, from TIGHT on a warning
OVERLAP = 0.02  # of the smaller box
EDGE = 0.3 * 72  # points
BODY_LEAST, NOTICE_LEAST, FOOTNOTE_LEAST = 12.0, 10.0, 9.0
CONTRAST, CONTRAST_LARGE = 4.5, 3.0
TITLE_LINES, BULLETS, JA_CHARS, EN_WORDS = 2, 6, 320, 120
TABLE_ROWS, TABLE_COLUMNS = 10, 7
FAMILIES = 3
PROMPTS = re.compile(
    r"クリックして|タップして|(?:マスター|マスタ) ?テキストの書式|ここに入力|lorem ipsum|click to (?:add|edit)|"
    r"(?:タイトル|テキスト|サブタイトル)を(?:入力|追加)|insert .{0,12} here|your text here|^x{3,}$|^[○〇]{3,}$|"
    r"titelformat bearbeiten",
    re.IGNORECASE | re.MULTILINE,
)
FOOTNOTE = re.compile(r"^\s*(?:出所|出典|資料|注|※|＊|\*|source|note)", re.IGNORECASE)


@dataclass(frozen=True)
class Context:
    """What a rule is given: the slide's facts, and how to say what it finds."""

    facts: SlideFacts
    slide: str
    kind: str
    language: Language

    def tell(self, rule: str, severity: Severity, *values: object) -> Finding:
        return told(rule, severity, self.slide, self.language, *values)


Rule = Callable[[Context], Iterator[Finding]]


def check_look(path: Path, *, pages: Sequence[PageInfo] = (), language: Language = "ja") -> list[Finding]:
    """All findings of the look gate. ``pages`` (from the renderer) gives slides their ids and kinds."""
    prs = Presentation(str(path))
    reader = Reader(prs)
    found: list[Finding] = []
    titles: dict[str, int] = {}
    for number, slide in enumerate(prs.slides, 1):
        page = pages[number - 1] if number <= len(pages) else None
        facts = reader.facts(slide, number)
        context = Context(facts, page.slide if page else str(number), page.kind if page else "", language)
        for rule in RULES:
            found.extend(rule(context))
        found.extend(_titles(context, titles))
    found.extend(link_findings(prs, language))
    return found


def _short(shape: Shape) -> str:
    text = " ".join(shape.text.split())
    return text[:16] + ("…" if len(text) > 16 else "") if text else shape.name


def _named(shape: Shape, key: str) -> bool:
    return shape.name.startswith(NAMES[key])


# ---- space -----------------------------------------------------------------------------------------------------------


def overflow(context: Context) -> Iterator[Finding]:
    for shape in context.facts.content:
        if shape.kind == "text" and shape.has_text and not shape.vertical and shape.ph not in ("sldNum", "dt", "ftr"):
            needed = shape.needed()
            room = max(shape.inner.h, 1.0)
            if shape.autofit == "grow":
                grown = shape.box.y + needed + shape.box.h - shape.inner.h
                if needed > room * FULL and grown > context.facts.page.h:
                    yield context.tell("look.overflow", "stop", _short(shape), round(100 * needed / room))
            elif needed > room * FULL + 0.5:
                yield context.tell("look.overflow", "stop", _short(shape), round(100 * needed / room))
            elif not shape.wraps and _leaves(shape, context):
                yield context.tell("look.overflow", "stop", _short(shape), round(100 * _widest(shape) / shape.box.w))
    yield from _tall_tables(context)


def _leaves(shape: Shape, context: Context) -> bool:
    """Whether a line that may not wrap runs out of its card, or, without one, out of the page."""
    widest = _widest(shape)
    if shape.filled or shape.outlined:
        return widest > shape.inner.w * FULL
    return widest > shape.box.w * 1.1 and shape.box.x + widest > context.facts.page.w


def _widest(shape: Shape) -> float:
    return max((shape.face.width(p.text, p.size) for p in shape.paragraphs), default=0.0)


def _tall_tables(context: Context) -> Iterator[Finding]:
    """Rows grow with their text: a table that is drawn higher than its frame runs into what is below."""
    for shape in context.facts.shapes:
        if shape.kind != "table":
            continue
        high = sum(table_rows(context, shape))
        below = [
            s.box.y for s in context.facts.content if s.box.y >= shape.box.bottom - 1 and _beside(s.box, shape.box)
        ]
        floor = min([context.facts.page.h, *below])
        if shape.box.y + high > floor + 2:
            yield context.tell("look.overflow", "stop", shape.name, round(100 * high / max(shape.box.h, 1)))


def _beside(first: Box, second: Box) -> bool:
    return min(first.right, second.right) - max(first.x, second.x) > 4


def table_rows(context: Context, shape: Shape) -> list[float]:
    """Height of each row as PowerPoint will draw it: what is set, or what the text needs."""
    table = shape.element.find(f".//{qn('a:tbl')}")
    widths = [int(c.get("w")) / 12700 for c in table.findall(f"{qn('a:tblGrid')}/{qn('a:gridCol')}")]
    rows = []
    for row in table.findall(qn("a:tr")):
        needed = [int(row.get("h")) / 12700]
        for cell, width in zip(row.findall(qn("a:tc")), widths, strict=False):
            made = as_shape(context.facts, shape, cell, width)
            if cell.get("hMerge") is None and cell.get("gridSpan") is None and made.has_text:
                needed.append(made.needed() + made.box.h - made.inner.h)
        rows.append(max(needed))
    return rows


def broken_tables(context: Context) -> Iterator[Finding]:
    """Rows with another number of cells than the table has columns, and tables without a single word below the head."""
    for shape in context.facts.shapes:
        if shape.kind != "table":
            continue
        columns = len(shape.element.findall(f".//{qn('a:gridCol')}"))
        rows = shape.element.findall(f".//{qn('a:tr')}")
        odd = next((n for n, row in enumerate(rows, 1) if len(row.findall(qn("a:tc"))) != columns), 0)
        empty = not any((t.text or "").strip() for row in rows[1:] for t in row.iter(qn("a:t")))
        if odd or empty:
            yield context.tell("look.table_broken", "stop", shape.name, odd or len(rows))


def overlap(context: Context) -> Iterator[Finding]:
    shapes = [
        s
        for s in context.facts.content
        if s.kind != "line" and (s.has_text or s.filled or s.kind in ("table", "chart", "other"))
    ]
    for first, second in combinations(shapes, 2):
        if first.group is not None and first.group == second.group:
            continue
        if _collide(first, second):
            yield context.tell("look.overlap", "stop", _short(first), _short(second))


def _extent(shape: Shape) -> Box:
    """What a viewer sees: the frame of filled shapes and objects, the text of others."""
    return shape.box if shape.filled or shape.outlined or shape.kind != "text" else shape.ink


def _collide(first: Shape, second: Shape) -> bool:
    a, b = _extent(first), _extent(second)
    smaller = min(a.area, b.area)
    if smaller <= 0 or a.common(b) <= OVERLAP * smaller:
        return False
    lower, upper = (first, second) if first.order < second.order else (second, first)
    if _extent(lower).holds(_extent(upper), slack=1.0) and (
        lower.filled or lower.outlined
    ):  # a card and what stands on it
        return lower.has_text and lower.ink.common(_extent(upper)) > OVERLAP * _extent(upper).area
    return first.has_text or second.has_text or {first.kind, second.kind} & {"table", "chart", "picture"} != set()


def placement(context: Context) -> Iterator[Finding]:
    page = context.facts.page
    for shape in context.facts.content:
        box = _extent(shape)
        if shape.kind == "line" or box.area <= 0:
            continue
        own = shape.ph is None or inherit.transform([shape.element]) is not None  # else it is the template's own place
        if own and (
            shape.box.x < -1 or shape.box.y < -1 or shape.box.right > page.w + 1 or shape.box.bottom > page.h + 1
        ):
            yield context.tell("look.off_slide", "stop", _short(shape))
        elif shape.ph is None and shape.has_text and not page.inset(EDGE).holds(box, slack=1.0):
            yield context.tell("look.margin", "warn", _short(shape))


def alignment(context: Context) -> Iterator[Finding]:
    """Shapes of the same size in one row or column whose edges differ by a little."""
    shapes = [s for s in context.facts.content if s.kind == "text" and (s.filled or s.outlined) and s.group is None]
    for first, second in combinations(shapes, 2):
        if (
            abs(first.box.w - second.box.w) > 1
            or abs(first.box.h - second.box.h) > 1
            or first.box.common(second.box) > 0
        ):
            continue
        across, down = abs(first.box.x - second.box.x), abs(first.box.y - second.box.y)
        for small, large in ((across, down), (down, across)):
            if 1 < small <= 6 and large > 12:
                yield context.tell("look.alignment", "warn", _short(first), _short(second), small)


# ---- text ------------------------------------------------------------------------------------------------------------


def least_size(context: Context, shape: Shape) -> float:
    if shape.ph in ("dt", "ftr", "sldNum"):
        return 0.0
    if FOOTNOTE.match(shape.text) or _named(shape, "source"):
        return FOOTNOTE_LEAST
    if _named(shape, "notice") or context.kind in ("notes", "appendix"):
        return NOTICE_LEAST
    eyebrow = shape.ph == "body" and shape.box.h <= 40
    return FOOTNOTE_LEAST if eyebrow else BODY_LEAST


def min_size(context: Context) -> Iterator[Finding]:
    for shape in _with_cells(context):
        small = min(
            (run.size * shape.scale for p in shape.paragraphs for run in p.runs if run.text.strip()), default=99.0
        )
        if small < least_size(context, shape) - 0.01:
            yield context.tell("look.min_size", "stop", _short(shape), small)


def _with_cells(context: Context) -> Iterator[Shape]:
    for shape in context.facts.content:
        yield shape
        if shape.kind == "table":
            yield from cells(context.facts, shape)


def contrasts(context: Context) -> Iterator[Finding]:
    for shape in _with_cells(context):
        if shape.kind != "text" or not shape.has_text:
            continue
        back = context.facts.background(shape)
        worst = 99.0
        for run in (run for p in shape.paragraphs for run in p.runs if run.text.strip()):
            large = run.size >= 18 or (run.bold and run.size >= 14)
            if back is not None and run.color is not None:
                ratio = contrast(run.color, back)
                worst = min(worst, ratio if ratio < (CONTRAST_LARGE if large else CONTRAST) else 99.0)
        if worst < 99:
            yield context.tell("look.contrast", "stop", _short(shape), worst)


def placeholders(context: Context) -> Iterator[Finding]:
    for shape in context.facts.shapes:
        if shape.ph is not None and shape.kind == "text" and not shape.has_text:
            yield context.tell("look.placeholder_empty", "stop", shape.name)
    for shape in _with_cells(context):
        match = PROMPTS.search(shape.text)
        if match:
            yield context.tell("look.prompt_text", "stop", match.group())


def fonts(context: Context) -> Iterator[Finding]:
    families: Counter[str] = Counter()
    for shape in _with_cells(context):
        runs = [run for p in shape.paragraphs for run in p.runs if run.text.strip()]
        if any(not run.wide_set and any(is_wide(c) and ord(c) >= 0x2E80 for c in run.text) for run in runs):
            yield context.tell("look.font_ea", "stop", _short(shape))
        for run in runs:
            families.update({run.wide if any(is_wide(c) for c in run.text) else run.latin})
    if len(families) > FAMILIES:
        yield context.tell("look.font_families", "warn", len(families), ", ".join(sorted(families)))


def density(context: Context) -> Iterator[Finding]:
    if context.kind in ("notes", "appendix"):
        return
    body = [
        s
        for s in context.facts.content
        if s.kind == "text" and s.ph not in ("title", "ctrTitle") and not _named(s, "notice")
    ]
    bullets = max(
        (sum(p.bullet and p.level == 0 and bool(p.text.strip()) for p in s.paragraphs) for s in body), default=0
    )
    text = "".join(s.text for s in body)
    wide = sum(ord(c) >= 0x2E80 for c in text)
    words = len(re.findall(r"[A-Za-z][A-Za-z'’\-]*", text))
    ja = context.language == "ja"
    if bullets > BULLETS:
        yield context.tell("look.density", "warn", f"{bullets}項目の箇条書き" if ja else f"{bullets} bullets")
    if wide > JA_CHARS:
        yield context.tell("look.density", "warn", f"{wide}字" if ja else f"{wide} characters")
    elif words > EN_WORDS:
        yield context.tell("look.density", "warn", f"{words}語" if ja else f"{words} words")
    for shape in context.facts.shapes:
        if shape.kind == "table":
            rows = len(shape.element.findall(f".//{qn('a:tr')}")) - 1
            columns = len(shape.element.findall(f".//{qn('a:gridCol')}"))
            if rows > TABLE_ROWS or columns > TABLE_COLUMNS:
                yield context.tell("look.table_size", "warn", rows, columns)


def language_used(context: Context) -> Iterator[Finding]:
    text = "".join(s.text for s in _with_cells(context) if s.ph not in ("dt", "ftr", "sldNum"))
    wide = sum(0x3040 <= ord(c) <= 0x9FFF for c in text)
    latin = len(re.findall(r"[A-Za-z]", text))
    wrong = latin > 60 and wide == 0 if context.language == "ja" else wide > 0.3 * max(latin, 1) and wide > 20
    if wrong:
        yield context.tell("look.language", "stop")


def reading_order(context: Context) -> Iterator[Finding]:
    """Title first; then nothing that stands wholly above, in the same column, what was read before it."""
    shapes = [s for s in context.facts.content if s.has_text or s.kind in ("table", "chart")]
    titled = [n for n, s in enumerate(shapes) if s.ph in ("title", "ctrTitle")]
    if titled and titled[0] != 0:
        yield context.tell("look.reading_order", "warn", _short(shapes[titled[0]]))
        return
    for before, after in pairwise(s for s in shapes if s.ph is None):
        same_column = min(before.box.right, after.box.right) - max(before.box.x, after.box.x) > 0.5 * min(
            before.box.w, after.box.w
        )
        if after.box.bottom <= before.box.y + 1 and same_column:
            yield context.tell("look.reading_order", "warn", _short(after))
            return


def _titles(context: Context, seen: dict[str, int]) -> Iterator[Finding]:
    titles = [s for s in context.facts.shapes if s.ph in ("title", "ctrTitle")]
    text = " ".join(titles[0].text.split()) if titles else ""
    if not text:
        yield context.tell("look.title_missing", "stop")
        return
    if text in seen:
        yield context.tell("look.title_duplicate", "warn", seen[text])
    seen.setdefault(text, context.facts.number)
    shape = titles[0]
    size = max((p.size for p in shape.paragraphs), default=0.0) * shape.scale
    bold = any(run.bold for p in shape.paragraphs for run in p.runs)
    lines = sum(len(wrap(p.text, shape.inner.w, size, shape.face, bold=bold)) for p in shape.paragraphs)
    most = TITLE_LINES + (1 if shape.ph == "ctrTitle" or context.kind == "title" else 0)
    if lines > most:
        yield context.tell("look.title_long", "warn", lines)


RULES: tuple[Rule, ...] = (
    overflow,
    broken_tables,
    overlap,
    placement,
    alignment,
    min_size,
    contrasts,
    placeholders,
    fonts,
    density,
    language_used,
    reading_order,
    chart_findings,
    picture_findings,
)
