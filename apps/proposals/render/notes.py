"""Speaker notes: the talk track, what the slide had to leave out, the sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.proposals.model import Slide
from apps.proposals.render.canvas import Kit
from apps.proposals.render.text import Fonts, fill, para
from apps.proposals.render.theme import repair
from apps.proposals.render.xml import qn

SIZE = 12.0


def notes_text(kit: Kit, slide: Slide, left_out: Sequence[str], *, first: bool) -> list[str]:
    """Lines of the notes; the talk track stands on the first of a slide's sheets only."""
    lines = slide.notes.strip().split("\n") if first and slide.notes.strip() else []
    if left_out:
        lines += [kit.label("full_text"), *left_out]
    if slide.sources and first and lines:
        lines += [kit.label("notes_sources"), *slide.sources]
    return lines


def write_notes(pptx_slide: Any, kit: Kit, lines: Sequence[str]) -> None:
    """Create the notes page; its theme's East Asian font is filled like the deck's."""
    if not lines:
        return
    notes = pptx_slide.notes_slide
    repair(notes.part.notes_master.part)
    frame = notes.notes_text_frame
    if frame is None:
        return
    paras = [para(line, SIZE, before=4, color=None) for text in lines for line in text.split("\n")]
    fill(frame._txBody, paras, Fonts(), kit.language)
    for shape in notes.element.iter(qn("p:sp")):
        named = shape.find(f"./*/{qn('p:cNvPr')}")
        if named is not None and not named.get("name"):
            named.set("name", "Notes")
