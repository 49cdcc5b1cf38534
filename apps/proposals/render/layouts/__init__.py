"""One planner per slide kind: it measures, chooses a form, splits where needed, and says how to draw each sheet."""

from __future__ import annotations

from apps.proposals.model import SlideKind
from apps.proposals.render.layouts import cards, flows, lists, people
from apps.proposals.render.layouts.base import Planner, Sheet
from apps.proposals.render.layouts.data import data_slide

# The kinds title and text are written into placeholders, see ``pages``; text falls back to cards.general.
PLANNERS: dict[SlideKind, Planner] = {
    "agenda": data_slide(lists.agenda),
    "summary": data_slide(cards.summary),
    "issues": data_slide(cards.issues),
    "proposal": data_slide(cards.proposal),
    "effect": data_slide(cards.summary),
    "comparison": data_slide(cards.general),
    "schedule": data_slide(flows.process),
    "cost": data_slide(cards.general),
    "risks": data_slide(lists.risks),
    "notes": data_slide(lists.notices),
    "team": data_slide(people.team),
    "case": data_slide(flows.case),
    "process": data_slide(flows.process),
    "text": data_slide(cards.general),
    "appendix": data_slide(cards.general),
}

__all__ = ["PLANNERS", "Planner", "Sheet"]
