"""Which layout serves which slide kind: roles scored by geometry, a report of the choice, an override by file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apps.proposals.model import SlideKind
from apps.proposals.render.geometry import Box
from apps.proposals.render.template import MARGIN, LayoutProfile, Slot
from kakehashi.errors import BadInput

Role = Literal["cover", "content", "text"]
KINDS: tuple[SlideKind, ...] = get_args(SlideKind)
CM = 72 / 2.54
NEVER = float("-inf")


def role_of(kind: SlideKind) -> Role:
    return "cover" if kind == "title" else "text" if kind == "text" else "content"


class Area(BaseModel):
    """Where content may stand, in centimetres from the top left of the slide."""

    model_config = ConfigDict(extra="forbid")
    left: float = Field(ge=0)
    top: float = Field(ge=0)
    width: float = Field(gt=1)
    height: float = Field(gt=1)

    def box(self) -> Box:
        return Box(self.left * CM, self.top * CM, self.width * CM, self.height * CM)


class TemplateMapping(BaseModel):
    """Override file: layouts by number (1 = first) or exact name, for roles (cover, content, text) or single kinds."""

    model_config = ConfigDict(extra="forbid")
    layouts: dict[Role, int | str] = {}
    kinds: dict[SlideKind, int | str] = {}
    area: Area | None = None


def load_mapping(path: Path) -> TemplateMapping:
    """Read an override file (YAML).

    Raises:
        BadInput: the file is not YAML, or has unknown keys, roles or kinds.
    """
    try:
        return TemplateMapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path.name}: YAML として読めません / not YAML: {error}", code="mapping_not_yaml") from error
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadInput(f"{path.name}: {where}", code="mapping_invalid") from error


@dataclass(frozen=True)
class Choice:
    """The layout taken for a role or kind; ``reason`` says why in one word group; ``sure`` False asks a person."""

    profile: LayoutProfile
    role: Role
    reason: str
    sure: bool = True


# ---- content area ----------------------------------------------------------------------------------------------------


def title_box(profile: LayoutProfile) -> Box:
    """The title placeholder's box, or a strip at the top of the page where a title can be drawn."""
    if profile.title is not None:
        return profile.title.box
    page = profile.page
    strip = Box(page.w * 0.05, page.h * 0.05, page.w * 0.9, page.h * 0.13)
    return trimmed(strip, profile.obstacles(strip))


def trimmed(box: Box, obstacles: Iterable[Box], least: float = 0.4) -> Box:
    """The box cut on the side that costs least, so that it clears the obstacles; a cut below ``least`` is not made."""
    start = box.area
    for other in obstacles:
        if box.common(other) <= 0:
            continue
        gap = 6.0
        cuts = [
            Box(box.x, box.y, other.x - gap - box.x, box.h),
            Box(other.right + gap, box.y, box.right - other.right - gap, box.h),
            Box(box.x, box.y, box.w, other.y - gap - box.y),
            Box(box.x, other.bottom + gap, box.w, box.bottom - other.bottom - gap),
        ]
        best = max((cut for cut in cuts if cut.w > 0 and cut.h > 0), key=lambda cut: cut.area, default=box)
        if best.area >= least * start:
            box = best
    return box


def content_area(profile: LayoutProfile, siblings: Iterable[LayoutProfile] = ()) -> Box:
    """Where shapes may be drawn: the body placeholder's box, else that of a sibling layout, else the free page."""
    own = [slot.box for slot in profile.large]
    if own:
        base = Box.around(own)
    else:
        heading = title_box(profile)
        like = [p for p in siblings if len(p.large) == 1 and p.title and _near(p.title.box, heading)]
        base = like[0].large[0].box if like else _free_page(profile)
    area = _cleared(profile, base)
    free = _cleared(profile, _free_page(profile))
    return free if area.h < 0.45 * profile.page.h and free.area > area.area * 1.2 else area


def _near(first: Box, second: Box) -> bool:
    return abs(first.y - second.y) < 20 and abs(first.h - second.h) < 30 and abs(first.x - second.x) < 30


def _free_page(profile: LayoutProfile) -> Box:
    heading, page = title_box(profile), profile.page
    left = min(max(heading.x, MARGIN), page.w * 0.08)
    right = max(min(heading.right, page.w - MARGIN), page.w * 0.92)
    top = heading.bottom + 8 if heading.bottom < 0.5 * page.h else page.h * 0.05
    floors = [s.box.y for s in profile.meta if s.box.y > 0.8 * page.h]
    bottom = min([page.h - MARGIN - 6, *(floor - 4 for floor in floors)])
    return Box(left, top, right - left, bottom - top)


def _cleared(profile: LayoutProfile, base: Box) -> Box:
    page = profile.page
    left, top = max(base.x, MARGIN), max(base.y, MARGIN)
    area = Box(left, top, min(base.right, page.w - MARGIN) - left, min(base.bottom, page.h - MARGIN) - top)
    kept = [s.box for s in profile.meta] + ([profile.title.box] if profile.title else [title_box(profile)])
    return trimmed(area, [*kept, *profile.obstacles(area)])


# ---- scores ----------------------------------------------------------------------------------------------------------


def _title_score(profile: LayoutProfile) -> float:
    """How well the title serves a message at the top of a content slide."""
    title, page = profile.title, profile.page
    if title is None:
        return -6.0
    score = -4.0 if title.kind == "ctrTitle" else 0.0
    score -= 3.0 if title.box.y > 0.3 * page.h else 0.0
    score -= 2.0 if title.box.w < 0.5 * page.w else 0.0
    score -= 5.0 if title.box.h > 0.4 * page.h else 1.0 if title.box.h > 0.28 * page.h else 0.0
    score -= 2.0 if not page.holds(title.box, slack=2.0) else 0.0
    return score - (6.0 if title.vertical else 0.0)


def _furniture(profile: LayoutProfile) -> float:
    return 0.6 * any(s.kind == "sldNum" for s in profile.meta) + 0.2 * any(s.kind == "ftr" for s in profile.meta)


def _framed(profile: LayoutProfile) -> bool:
    """A frame is drawn around a small placeholder: it would stay empty."""
    small = [s.box for s in profile.bodies if s not in profile.large]
    return any(f.box.common(box) > 0.6 * max(f.box.area, box.area) for f in profile.fixed for box in small)


def score_content(profile: LayoutProfile) -> float:
    area = content_area(profile)
    covered = profile.title is not None and area.common(profile.title.box) > 0.1 * area.area
    extra = max(len(profile.large) - 1, 0) + len(profile.pictures)
    declared = {"titleOnly": 0.5, "title": -2.0, "secHead": -3.0, "blank": -1.0}.get(profile.declared, 0.0)
    bare = 1.5 if not profile.large else 0.6
    shape = 4 * min(area.area / (0.55 * profile.page.area), 1.0)
    lost = 1.2 * extra + 4.0 * covered + 1.5 * _framed(profile)
    return _title_score(profile) + _furniture(profile) + shape + bare - lost + declared


def score_text(profile: LayoutProfile) -> float:
    large = [s for s in profile.large if not s.vertical and s.kind in ("body", "obj")]
    if not large:
        return NEVER
    share = large[0].box.area / profile.page.area
    declared = {"obj": 0.5, "tx": 0.5, "title": -2.0, "secHead": -3.0}.get(profile.declared, 0.0)
    extra = len(profile.large) - 1 + len(profile.pictures)
    return _title_score(profile) + _furniture(profile) + 4 * min(share / 0.45, 1.0) - 1.5 * extra + declared


def score_cover(profile: LayoutProfile) -> float:
    title, page = profile.title, profile.page
    if title is None or title.vertical:
        return NEVER
    score = 5.0 * (title.kind == "ctrTitle") + 2.0 * any(s.kind == "subTitle" for s in profile.slots)
    score += {"title": 2.0, "secHead": -1.0, "obj": -2.0, "titleOnly": -1.0}.get(profile.declared, 0.0)
    score += 1.5 if title.box.y + title.box.h / 2 > 0.25 * page.h else -1.0
    score += min(title.size / 20, 2.5)
    return score - 3.0 * len([s for s in profile.large if s.kind != "subTitle"]) + (0.5 if profile.number == 1 else 0.0)


SCORES = {"cover": score_cover, "content": score_content, "text": score_text}


def choose(found: list[LayoutProfile], usage: Mapping[int, int]) -> dict[Role, Choice]:
    """A layout per role, all of one master. ``usage``: how many sample slides use each layout number."""
    by_master: dict[int, list[LayoutProfile]] = {}
    for profile in found:
        by_master.setdefault(profile.master, []).append(profile)

    def best(group: list[LayoutProfile], role: Role) -> tuple[float, LayoutProfile]:
        scored = [(SCORES[role](p) + min(usage.get(p.number, 0), 2) * 0.3, -p.number, p) for p in group]
        top = max(scored, key=lambda item: item[:2])
        return top[0], top[2]

    def worth(master: int) -> float:
        group = by_master[master]
        used = sum(usage.get(p.number, 0) for p in group)
        scores = [max(best(group, role)[0], -10.0) for role in SCORES]  # type: ignore[arg-type]
        return sum(scores) + (1.0 if master == 0 else 0.0) + min(used, 4) * 0.5

    group = by_master[max(by_master, key=worth)]
    content = best(group, "content")
    chosen: dict[Role, Choice] = {"content": Choice(content[1], "content", "geometry", content[0] > 2)}
    for role in ("cover", "text"):
        score, profile = best(group, role)
        usable = score > NEVER
        chosen[role] = Choice(profile if usable else content[1], role, "geometry" if usable else "fallback", score > 2)
    return chosen


def layout_named(found: list[LayoutProfile], wanted: int | str) -> LayoutProfile:
    """By number from 1, or by exact name when only one layout has it.

    Raises:
        BadInput: no such layout, or several with that name.
    """
    hits = [p for p in found if (p.number == wanted if isinstance(wanted, int) else p.name == wanted)]
    if len(hits) == 1:
        return hits[0]
    listed = ", ".join(f"{p.number}: {p.name}" for p in found)
    problem = "同じ名前のレイアウトが複数あります" if hits else "そのレイアウトはありません"
    raise BadInput(f"対応表: {wanted!r}: {problem} ({listed})", hint="番号で指定してください。", code="mapping_layout")


def choices(
    found: list[LayoutProfile], usage: Mapping[int, int], mapping: TemplateMapping | None
) -> dict[SlideKind, Choice]:
    """The layout for each slide kind, with the override applied."""
    roles = choose(found, usage)
    given = mapping or TemplateMapping()
    for role, wanted in given.layouts.items():
        roles[role] = Choice(layout_named(found, wanted), role, "override")
    by_kind = {kind: roles[role_of(kind)] for kind in KINDS}
    for kind, wanted in given.kinds.items():
        by_kind[kind] = replace(by_kind[kind], profile=layout_named(found, wanted), reason="override", sure=True)
    return by_kind


def eyebrow(profile: LayoutProfile) -> Slot | None:
    """A small text placeholder just above the title: takes the section's name."""
    title = profile.title
    if title is None:
        return None
    small = [s for s in profile.bodies if s.box.h <= 40 and s.box.bottom <= title.box.y + 6 and s.box.w > 80]
    return small[0] if small else None
