"""``check_template``: what a template offers, which layout each slide kind will get, and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from apps.proposals.model import Finding, SlideKind
from apps.proposals.render import package
from apps.proposals.render.fonts import english_name, is_installed
from apps.proposals.render.geometry import Box
from apps.proposals.render.mapping import CM, KINDS, Choice, TemplateMapping, choices, content_area, load_mapping
from apps.proposals.render.measure import PITCH
from apps.proposals.render.template import LayoutProfile, Slot, profiles
from apps.proposals.render.text import SPACING
from apps.proposals.render.theme import missing_wide, repair, theme_root
from apps.proposals.render.words import Language, finding


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BoxCm(Model):
    """Centimetres from the top left of the slide."""

    left: float
    top: float
    width: float
    height: float


class PlaceholderReport(Model):
    type: str
    index: int
    box: BoxCm
    size_pt: float
    capacity: int


class LayoutReport(Model):
    number: int
    master: int
    name: str
    placeholders: list[PlaceholderReport]
    content_area: BoxCm
    used_for: list[str] = []


class ChoiceReport(Model):
    """The layout a slide kind gets; ``sure`` False: a guess that a person should confirm."""

    layout: int
    name: str
    role: str
    reason: Literal["geometry", "override", "fallback"]
    sure: bool


class FontReport(Model):
    role: Literal["heading", "body"]
    latin: str
    east_asian: str
    east_asian_was_empty: bool
    installed: bool


class TemplateReport(Model):
    """``ok``: the template can be used; ``findings`` say with what losses."""

    file: str
    ok: bool
    width_cm: float
    height_cm: float
    aspect: str
    masters: int
    layouts: list[LayoutReport]
    mapping: dict[str, ChoiceReport]
    fonts: list[FontReport]
    colors: dict[str, str]
    sample_slides: int
    macros: bool
    findings: list[Finding]


def check_template(
    path: Path, *, mapping: TemplateMapping | Path | None = None, language: Language = "ja"
) -> TemplateReport:
    """Analyse a template without writing anything.

    Raises:
        BadInput: the file cannot be used as a template at all.
    """
    override = load_mapping(mapping) if isinstance(mapping, Path) else mapping
    opened = package.open_template(path)
    prs = opened.prs
    empty = set(missing_wide(theme_root(prs.slide_masters[0].part)))
    for master in prs.slide_masters:
        repair(master.part)
    found = profiles(prs)
    usage = {p.number: opened.usage.get(str(p.layout.part.partname), 0) for p in found}
    by_kind = choices(found, usage, override)
    findings = _findings(opened, found, by_kind, empty, language)
    main = by_kind["effect"].profile
    return TemplateReport(
        file=path.name,
        ok=not any(f.severity == "stop" for f in findings),
        width_cm=_cm(main.page.w),
        height_cm=_cm(main.page.h),
        aspect=aspect(main.page),
        masters=len(prs.slide_masters),
        layouts=[_layout(p, found, by_kind) for p in found],
        mapping={kind: _choice(by_kind[kind]) for kind in KINDS},
        fonts=_fonts(main, empty),
        colors={
            name: "#{:02X}{:02X}{:02X}".format(*main.palette.colors[name])
            for name in ("bg1", "tx1", "bg2", "tx2", *_ACCENTS)
        },
        sample_slides=opened.samples,
        macros=opened.macros,
        findings=findings,
    )


_ACCENTS = tuple(f"accent{n}" for n in range(1, 7))


def _cm(points: float) -> float:
    return round(points / CM, 2)


def _box(box: Box) -> BoxCm:
    return BoxCm(left=_cm(box.x), top=_cm(box.y), width=_cm(box.w), height=_cm(box.h))


def aspect(page: Box) -> str:
    ratio = page.w / page.h
    known = {"16:9": 16 / 9, "4:3": 4 / 3, "16:10": 1.6, "A4": 297 / 210}
    return next((name for name, value in known.items() if abs(ratio - value) < 0.015), f"{ratio:.2f}:1")


def capacity(slot: Slot) -> int:
    """Full-width characters that fit at the placeholder's own size."""
    lines = int(slot.inner.h / (slot.size * PITCH * SPACING))
    return max(lines, 0) * max(int(slot.inner.w * 0.95 / slot.size), 0)


def _layout(profile: LayoutProfile, found: list[LayoutProfile], by_kind: dict[SlideKind, Choice]) -> LayoutReport:
    siblings = [p for p in found if p.master == profile.master and p is not profile]
    return LayoutReport(
        number=profile.number,
        master=profile.master + 1,
        name=profile.name,
        placeholders=[
            PlaceholderReport(type=s.kind, index=s.index, box=_box(s.box), size_pt=s.size, capacity=capacity(s))
            for s in profile.slots
        ],
        content_area=_box(content_area(profile, siblings)),
        used_for=[kind for kind, choice in by_kind.items() if choice.profile.number == profile.number],
    )


def _choice(choice: Choice) -> ChoiceReport:
    return ChoiceReport(
        layout=choice.profile.number,
        name=choice.profile.name,
        role=choice.role,
        reason=choice.reason,
        sure=choice.sure,
    )


def _fonts(profile: LayoutProfile, empty: set[str]) -> list[FontReport]:
    rows = [("heading", "majorFont", profile.fonts.major), ("body", "minorFont", profile.fonts.minor)]
    return [
        FontReport(
            role=role,
            latin=face.latin,
            east_asian=face.wide,
            east_asian_was_empty=kind in empty,
            installed=is_installed(face.wide),
        )
        for role, kind, face in rows
    ]


def _findings(
    opened: package.Opened,
    found: list[LayoutProfile],
    by_kind: dict[SlideKind, Choice],
    empty: set[str],
    language: Language,
) -> list[Finding]:
    out: list[Finding] = []
    if opened.macros:
        out.append(finding("template.macros", "warn", "", language))
    if opened.samples:
        out.append(finding("template.samples", "info", "", language, opened.samples))
    main = by_kind["effect"].profile
    if empty:
        out.append(finding("template.ea_font", "info", "", language, main.fonts.minor.wide))
    for face in sorted({main.fonts.major.wide, main.fonts.minor.wide}):
        if not is_installed(face):
            out.append(finding("template.font_missing", "info", "", language, english_name(face)))
    return out + _layout_findings(found, by_kind, language)


def _layout_findings(found: list[LayoutProfile], by_kind: dict[SlideKind, Choice], language: Language) -> list[Finding]:
    """Each layout that is used, once: title, body, number, room, certainty."""
    out: list[Finding] = []
    seen: set[tuple[int, str]] = set()
    for kind, choice in by_kind.items():
        profile = choice.profile
        if (profile.number, choice.role) in seen:
            continue
        seen.add((profile.number, choice.role))
        if profile.title is None:
            out.append(finding("template.no_title", "warn", kind, language, profile.name))
        if choice.role == "text" and not any(s.kind in ("body", "obj") and not s.vertical for s in profile.large):
            out.append(finding("template.no_body", "warn", kind, language, profile.name))
        if choice.role != "cover" and not any(s.kind == "sldNum" for s in profile.meta):
            out.append(finding("template.no_number", "warn", kind, language, profile.name))
        if not choice.sure and choice.reason != "override":
            out.append(finding("template.unsure", "warn", kind, language, kind, profile.name))
        area = content_area(profile, [p for p in found if p.master == profile.master and p is not profile])
        if choice.role == "content" and area.area < 0.4 * profile.page.area:
            out.append(finding("template.narrow", "warn", kind, language, profile.name))
    return out
