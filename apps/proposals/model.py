"""The data of a proposal: brief, evidence ledger, storyline, deck (``deck.json``) and report (``report.json``)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from apps.common.provenance import Origin

SlideKind = Literal[
    "title", "agenda", "summary", "issues", "proposal", "effect", "comparison", "schedule", "cost", "risks", "notes",
    "team", "case", "process", "text", "appendix",
]  # fmt: skip


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BriefNumber(Model):
    """A figure given in the brief. ``value`` is plain (1200000), ``unit`` as written (円, %, 件 …)."""

    label: str
    value: float
    unit: str = ""
    period: str = ""
    raw: str = ""


class Brief(Model):
    """What the salesperson wants. Only the client and at least one need are required."""

    client: str
    title: str = ""
    industry: str = ""
    needs: list[str] = []
    products: list[str] = []
    numbers: list[BriefNumber] = []
    schedule: list[str] = []
    cost: list[str] = []
    risks: list[str] = []
    comparison: list[str] = []
    effects: list[str] = []
    tone: str = ""
    audience: str = ""
    customer_class: Literal["", "professional", "general"] = ""
    slide_count: int | None = Field(None, ge=3, le=40)
    language: Literal["ja", "en"] = "ja"
    author: str = ""
    company: str = ""
    date: str = ""
    free_text: str = ""


class EvidenceNumber(Model):
    """One figure of the ledger: the model never writes it, it names the id and code fills it in."""

    id: str = Field(description="E1, E2 …")
    label: str
    raw: str = Field(description="as written in the source")
    value: float
    unit: str = ""
    period: str = ""
    as_of: str = ""
    valid_until: str = ""
    source: str = Field(description="snippet id")
    locator: str = Field("", description="where exactly in the source: sheet!cell, page, line")
    approx: bool = Field(False, description="written with 約, 程度, about …")
    formula: str = Field("", description="shown calculation over other ids, empty when read from a source")


class Snippet(Model):
    """A piece of a source that may be cited. ``locator``: sheet!cell, page, block, line."""

    id: str = Field(description="D1, D2 …")
    file: str
    sha256: str
    locator: str
    text: str
    hidden: str = Field("", description="why this text is not shown in the source (comment, notes, tiny text …)")


class LedgerTable(Model):
    """A typed table of a source; ``cells`` holds the number id of each figure ("" where the cell is no figure)."""

    id: str = Field(description="T1, T2 …")
    title: str = ""
    file: str
    locator: str
    columns: list[str]
    rows: list[list[str]]
    cells: list[list[str]] = []
    unit: str = ""


class Ledger(Model):
    snippets: list[Snippet] = []
    numbers: list[EvidenceNumber] = []
    tables: list[LedgerTable] = []


class TextBlock(Model):
    text: str
    level: int = 0
    evidence: list[str] = []
    origin: Origin | None = None


class Table(Model):
    columns: list[str]
    rows: list[list[str]]
    unit: str = ""
    source: str = ""
    evidence: list[str] = []


class Series(Model):
    name: str
    values: list[float | None]


class Chart(Model):
    """A native chart. ``as_of`` and ``source`` are printed below it."""

    type: Literal["bar", "column", "line", "pie", "waterfall", "combo"] = "column"
    title: str = ""
    categories: list[str]
    series: list[Series]
    unit: str = ""
    source: str = ""
    as_of: str = ""
    evidence: list[str] = []


class Phase(Model):
    """One bar of the schedule; start and end in the units of ``Schedule.columns`` (0-based, inclusive)."""

    name: str
    start: int
    end: int
    detail: str = ""


class Schedule(Model):
    columns: list[str] = Field(description="time axis labels: 4月, 5月 …")
    phases: list[Phase]


class Figure(Model):
    """A key figure shown large: ``value`` as printed (1,240万円), ``label`` what it is."""

    value: str
    label: str
    evidence: list[str] = []


class Slide(Model):
    """One slide. ``title`` is its message (a sentence), except on the title slide."""

    id: str
    kind: SlideKind
    title: str
    subtitle: str = ""
    body: list[TextBlock] = []
    table: Table | None = None
    chart: Chart | None = None
    schedule: Schedule | None = None
    figures: list[Figure] = Field([], description="key figures, shown as cards above or beside the rest")
    notices: list[str] = Field([], description="notices shown on this slide beside the benefit they qualify")
    notes: str = Field("", description="speaker notes")
    sources: list[str] = Field([], description="printed at the foot")
    evidence: list[str] = []
    origin: Origin | None = None
    locked: bool = False


class Deck(Model):
    """``deck.json``: the typed slides, from which the .pptx is rendered by code."""

    title: str
    client: str
    language: Literal["ja", "en"] = "ja"
    date: str = ""
    author: str = ""
    slides: list[Slide]
    meta: dict[str, Any] = {}


class StoryPoint(Model):
    """One planned slide: its kind, its message, and the evidence it will use."""

    kind: SlideKind
    message: str
    id: str = Field("", description="id of the slide it becomes; given by the storyline when empty")
    topic: str = Field("", description="what a repeated kind is about: a need, a product, a table")
    evidence: list[str] = []
    origin: Origin | None = None
    locked: bool = False


class Storyline(Model):
    title: str
    points: list[StoryPoint]
    origin: Origin | None = None


class NumberUse(Model):
    """A figure on a slide and where it comes from. ``untraced`` blocks approval."""

    slide: str
    text: str
    value: float | None
    unit: str = ""
    evidence: list[str] = []
    status: Literal["traced", "calculated", "structural", "untraced"]


class Finding(Model):
    slide: str
    rule: str
    severity: Literal["stop", "warn", "info"]
    message: str
    status: Literal["open", "fixed", "accepted"] = "open"


class Contradiction(Model):
    values: list[str]
    sources: list[str]
    label: str = ""


class Report(Model):
    """``report.json``: every figure with its source, every finding, every contradiction between sources."""

    numbers: list[NumberUse] = []
    findings: list[Finding] = []
    contradictions: list[Contradiction] = []
    meta: dict[str, Any] = {}
