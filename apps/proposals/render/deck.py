"""``render``: a typed deck onto a template. Deterministic, no model, no network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.common.properties import provenance
from apps.proposals.model import Deck, Finding, Slide, SlideKind, TextBlock
from apps.proposals.render import package
from apps.proposals.render.canvas import Canvas, Kit, stamp_ids
from apps.proposals.render.fonts import english_name, is_installed
from apps.proposals.render.foot import Foot
from apps.proposals.render.frames import Frame, frame_of
from apps.proposals.render.layouts import PLANNERS, Sheet
from apps.proposals.render.layouts.base import has_data
from apps.proposals.render.mapping import Choice, TemplateMapping, choices, load_mapping
from apps.proposals.render.notes import notes_text, write_notes
from apps.proposals.render.placeholders import (
    copy_meta,
    draw_cover,
    plan_text,
    remove_unused,
    write_kicker,
    write_title,
)
from apps.proposals.render.template import LayoutProfile, profiles
from apps.proposals.render.theme import repair
from apps.proposals.render.words import Language, finding, label
from apps.proposals.render.xml import P14, add_extension, foreign, qn
from apps.proposals.templates import DEFAULT_TEMPLATE


@dataclass(frozen=True)
class PageInfo:
    """One slide of the file: which slide of the deck it shows (``part`` of ``parts``)."""

    number: int
    slide: str
    kind: SlideKind
    part: int
    parts: int
    layout: str


@dataclass
class RenderResult:
    """What came of a rendering. ``editable_share``: objects that are text, table, chart or shape, 0 to 1."""

    path: Path
    findings: list[Finding]
    editable_share: float
    layout_map: dict[str, str]
    pages: list[PageInfo] = field(default_factory=list)


def render(
    deck: Deck, out: Path, *, template: Path | None = None, mapping: TemplateMapping | Path | None = None
) -> RenderResult:
    """Write ``deck`` to ``out`` as .pptx, on ``template`` (.pptx or .potx) or the default one.

    The same deck and template give the same bytes. Nothing is dropped silently: see ``findings``.

    Raises:
        BadInput: the template or the mapping cannot be used; the code says why.
    """
    override = load_mapping(mapping) if isinstance(mapping, Path) else mapping
    opened = package.open_template(template or DEFAULT_TEMPLATE)
    prs, language = opened.prs, deck.language
    findings = _repairs(opened, language)
    found = profiles(prs)
    usage = {p.number: opened.usage.get(str(p.layout.part.partname), 0) for p in found}
    by_kind = choices(found, usage, override)
    findings += _doubts(deck, by_kind, language)
    writer = _Writer(prs, deck, found, by_kind, override)
    for slide in deck.slides:
        writer.add(slide)
    findings += writer.findings
    stamp = deck_date(deck)
    package.set_core(
        prs, title=deck.title, author=deck.author, subject=deck.client, language=_locale(language), stamp=stamp
    )
    package.set_custom(prs, provenance({"generator": "kakehashi", **deck.meta}))
    package.save(prs, out, stamp)
    layout_map: dict[str, str] = {kind: f"{c.profile.number}: {c.profile.name}" for kind, c in by_kind.items()}
    return RenderResult(out, findings, editable_share(prs), layout_map, writer.pages)


def _locale(language: Language) -> str:
    return "ja-JP" if language == "ja" else "en-US"


def deck_date(deck: Deck) -> datetime:
    """The deck's own date as time stamp of the file, so that rendering twice gives the same bytes."""
    numbers = re.findall(r"\d+", deck.date)
    if len(numbers) >= 3 and len(numbers[0]) == 4:
        try:
            return datetime(int(numbers[0]), int(numbers[1]), int(numbers[2]), tzinfo=UTC)
        except ValueError:
            pass
    return datetime(2000, 1, 1, tzinfo=UTC)


def _repairs(opened: package.Opened, language: Language) -> list[Finding]:
    """Fill the theme's fonts; say what was changed in the template and what is missing on this machine."""
    found: list[Finding] = []
    faces: set[str] = set()
    for master in opened.prs.slide_masters:
        faces |= set(repair(master.part).values())
    found += [finding("template.ea_font", "info", "", language, face) for face in sorted(faces)]
    if opened.samples:
        found.append(finding("template.samples", "info", "", language, opened.samples))
    if opened.macros:
        found.append(finding("template.macros", "warn", "", language))
    return found


def _doubts(deck: Deck, by_kind: dict[SlideKind, Choice], language: Language) -> list[Finding]:
    """Layouts that are guesses or lack something, and fonts that are not here, for the kinds this deck uses."""
    found: list[Finding] = []
    used = list(dict.fromkeys(slide.kind for slide in deck.slides))
    seen: set[int] = set()
    for kind in used:
        choice = by_kind[kind]
        if choice.profile.number in seen:
            continue
        seen.add(choice.profile.number)
        if not choice.sure and choice.reason != "override":
            found.append(finding("template.unsure", "warn", "", language, kind, choice.profile.name))
        if choice.role != "cover" and not any(s.kind == "sldNum" for s in choice.profile.meta):
            found.append(finding("template.no_number", "warn", "", language, choice.profile.name))
    pairs = {
        face
        for kind in used
        for f in [by_kind[kind].profile.fonts]
        for face in (f.major.wide, f.minor.wide, f.minor.latin)
    }
    missing = sorted({english_name(face) for face in pairs if not is_installed(face)})
    return found + [finding("template.font_missing", "info", "", language, face) for face in missing]


class _Writer:
    """Adds the deck's slides one after the other."""

    def __init__(
        self,
        prs: Any,
        deck: Deck,
        found: list[LayoutProfile],
        by_kind: dict[SlideKind, Choice],
        mapping: TemplateMapping | None,
    ) -> None:
        self.prs, self.deck = prs, deck
        self._found, self._by_kind, self._mapping = found, by_kind, mapping
        self._frames: dict[tuple[int, str], Frame] = {}
        self.findings: list[Finding] = []
        self.pages: list[PageInfo] = []

    def frame(self, slide: Slide) -> Frame:
        """Slides of text that carry a table or chart need the layout for drawn content."""
        kind: SlideKind = "appendix" if slide.kind == "text" and has_data(slide) else slide.kind
        choice = self._by_kind[kind]
        key = (choice.profile.number, choice.role)
        if key not in self._frames:
            self._frames[key] = frame_of(choice, self._found, self._mapping)
        return self._frames[key]

    def add(self, slide: Slide) -> None:
        slide = settled(slide)
        frame = self.frame(slide)
        kit = frame.kit(self.deck)
        sheets = [Sheet(lambda canvas: None)] if slide.kind == "title" else self._planned(kit, frame, slide)
        if len(sheets) > 1:
            kit.tell("render.split", "info", slide.id, len(sheets))
        for part, sheet in enumerate(sheets, 1):
            self._write(kit, frame, slide, sheet, part, len(sheets))
        self.findings += kit.findings

    def _planned(self, kit: Kit, frame: Frame, slide: Slide) -> list[Sheet]:
        foot = Foot(kit, slide, frame.area)
        if slide.kind == "text" and not has_data(slide):
            sheets = plan_text(kit, slide, frame, foot.height)
        else:
            sheets = PLANNERS[slide.kind](kit, slide, frame.area.above(foot.height))
        if not sheets or not (
            slide.body or has_data(slide) or slide.figures or slide.subtitle or slide.kind == "agenda"
        ):
            kit.tell("render.empty", "warn", slide.id)
        return foot.under(sheets or [Sheet(lambda canvas: None)])

    def _write(self, kit: Kit, frame: Frame, slide: Slide, sheet: Sheet, part: int, parts: int) -> None:
        made = self.prs.slides.add_slide(frame.profile.layout)
        canvas = Canvas(made, kit)
        left_out = list(sheet.left_out)
        if slide.kind == "title":
            left_out += draw_cover(canvas, frame, slide, self.deck)
        else:
            title = slide.title + (label("page_of", kit.language, part, parts) if parts > 1 else "")
            left_out += write_title(canvas, frame, title, slide.id)
            write_kicker(canvas, frame, slide)
            sheet.draw(canvas)
        left_out += canvas.left_out
        remove_unused(made)
        if slide.kind != "title":
            copy_meta(canvas, frame, self.deck)
        write_notes(made, kit, notes_text(kit, slide, left_out, first=part == 1))
        number = len(self.pages) + 1
        seed = package.identity(slide.id, part, number)
        add_extension(
            made.element.find(qn("p:cSld")),
            "{BB962C8B-B14F-4D97-AF65-F5344CB8AC3E}",
            foreign(P14, "p14", "creationId", val=seed),
            prefix="p",
        )
        stamp_ids(made, seed)
        self.pages.append(PageInfo(number, slide.id, slide.kind, part, parts, frame.profile.name))


FIGURES_MOST, FIGURES_BESIDE = 4, 3  # key figures drawn large; beside a chart


def settled(slide: Slide) -> Slide:
    """Key figures beyond what is drawn large become lines of the body: nothing is left out."""
    most = FIGURES_BESIDE if slide.chart is not None else FIGURES_MOST
    more = [TextBlock(text=f"{f.label}：{f.value}", evidence=f.evidence) for f in slide.figures[most:]]
    return slide.model_copy(update={"figures": slide.figures[:most], "body": [*slide.body, *more]}) if more else slide


def editable_share(prs: Any) -> float:
    """Share of the objects on the slides that a person can edit in PowerPoint (all but pictures)."""
    shapes = [shape for slide in prs.slides for shape in slide.shapes]
    pictures = sum(shape.shape_type is not None and shape._element.tag == qn("p:pic") for shape in shapes)
    return 1.0 if not shapes else 1 - pictures / len(shapes)


__all__: Sequence[str] = ["PageInfo", "RenderResult", "render"]
