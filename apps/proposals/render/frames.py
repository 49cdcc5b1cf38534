"""A layout made ready to write on: where title and content stand, in which colours and fonts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from apps.proposals.model import Deck
from apps.proposals.render.canvas import Kit
from apps.proposals.render.color import Scheme, scheme_on
from apps.proposals.render.geometry import Box
from apps.proposals.render.mapping import Choice, TemplateMapping, content_area, eyebrow, title_box, trimmed
from apps.proposals.render.measure import Typeface
from apps.proposals.render.template import LayoutProfile, Slot
from apps.proposals.render.text import Fonts


@dataclass(frozen=True)
class Frame:
    choice: Choice
    title: Slot | None
    title_box: Box
    moved: bool  # the title's box was cut to clear a logo or label, so it must be written into the slide
    kicker: Slot | None
    body: Slot | None
    area: Box
    scheme: Scheme
    face: Typeface

    @property
    def profile(self) -> LayoutProfile:
        return self.choice.profile

    def kit(self, deck: Deck) -> Kit:
        return Kit(deck, deck.language, self.scheme, self.face, Fonts(), self.profile.page)


def on_page(box: Box, page: Box) -> Box:
    """The box itself, or the part of it that lies on the page with a small margin."""
    if page.holds(box):
        return box
    inner = page.inset(10)
    left, top = max(box.x, inner.x), max(box.y, inner.y)
    return Box(left, top, min(box.right, inner.right) - left, min(box.bottom, inner.bottom) - top)


def frame_of(choice: Choice, everything: Sequence[LayoutProfile], mapping: TemplateMapping | None) -> Frame:
    profile = choice.profile
    siblings = [p for p in everything if p.master == profile.master and p is not profile]
    area = content_area(profile, siblings)
    if mapping is not None and mapping.area is not None and choice.role == "content":
        area = mapping.area.box()
    heading = title_box(profile)
    cleared = trimmed(on_page(heading, profile.page), profile.obstacles(heading), least=0.5)
    bodies = [slot for slot in profile.large if not slot.vertical and slot.kind in ("body", "obj")]
    return Frame(
        choice=choice,
        title=replace(profile.title, box=cleared) if profile.title else None,
        title_box=cleared,
        moved=cleared != heading,
        kicker=eyebrow(profile),
        body=bodies[0] if bodies else None,
        area=area,
        scheme=scheme_on(profile.palette, profile.ground(area)),
        face=profile.fonts.minor,
    )
