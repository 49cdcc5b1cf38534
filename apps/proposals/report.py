"""``report.json``: every figure of the finished deck, found by scanning it again, with its source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from apps.common.japanese.normalise import half_width
from apps.proposals.evidence.figures import Figure, find_figures, same_period
from apps.proposals.language import pick
from apps.proposals.model import Deck, Finding, NumberUse, Slide
from apps.proposals.story.material import Material
from apps.proposals.writing.plan import bare_months
from apps.proposals.writing.words import Words

_IDS = re.compile(r"\b[ECDT]\d+\b|←[^\n]*")  # ids and places of sources in the notes are no figures
_COUNTERS = frozenset(("つ", "点", "段階", "項目", "枚", "か月", ""))


@dataclass(frozen=True)
class Place:
    """One text of a slide with the ids it rests on; ``fixed``: the product's own (notices, axis, numbering)."""

    text: str
    evidence: tuple[str, ...]
    fixed: bool = False


def places(slide: Slide, deck: Deck) -> Iterator[Place]:
    """Every text of a slide that a reader sees, and its speaker notes."""
    own = tuple(slide.evidence)
    yield Place(slide.title, own)
    yield Place(slide.subtitle, own)
    for block in slide.body:
        yield Place(block.text, (*block.evidence, *own), fixed=slide.kind in ("notes", "agenda"))
    for notice in slide.notices:
        yield Place(notice, (), fixed=True)
    for card in slide.figures:
        yield Place(card.value, (*card.evidence, *own))
        yield Place(card.label, (*card.evidence, *own))
    if slide.table:
        for cell in [*slide.table.columns, *(c for row in slide.table.rows for c in row)]:
            yield Place(cell, (*slide.table.evidence, *own))
        yield Place(slide.table.source, own, fixed=True)
    if slide.chart:
        for text in (
            slide.chart.title,
            *slide.chart.categories,
            *(s.name for s in slide.chart.series),
            slide.chart.as_of,
        ):
            yield Place(text, (*slide.chart.evidence, *own))
        yield Place(slide.chart.source, own, fixed=True)
    if slide.schedule:
        for text in slide.schedule.columns:
            yield Place(text, own, fixed=True)
        for phase in slide.schedule.phases:
            yield Place(phase.name, own)
            yield Place(phase.detail, own)
    for source in slide.sources:
        yield Place(source, own, fixed=True)
    yield Place(_IDS.sub("", slide.notes), own, fixed=slide.kind in ("notes", "agenda"))


class Tracer:
    """Finds where each figure of a deck comes from."""

    def __init__(self, material: Material, deck: Deck) -> None:
        self.material, self.deck = material, deck
        self.numbers = {n.id: n for n in material.ledger.numbers}
        self.words: dict[str, str] = {}
        self.dates: list[tuple[Figure, str]] = []
        self.months: list[tuple[str, str]] = []  # without a year, which the plan's order gives
        for snippet in material.ledger.snippets:
            if snippet.hidden:
                continue
            for figure in find_figures(snippet.text):
                if figure.kind == "date":
                    self.dates.append((figure, snippet.id))
                self.words.setdefault(half_width(figure.text).casefold(), snippet.id)
            self.months += [(key, snippet.id) for key in bare_months(snippet.text)]
            for figure in find_figures(snippet.file):
                self.words.setdefault(half_width(figure.text).casefold(), snippet.id)
        for number in material.ledger.numbers:
            for text in (number.period, number.as_of, number.valid_until):
                self.dates += [(f, number.source) for f in find_figures(text) if f.kind == "date"]

    def trace(self) -> list[NumberUse]:
        """One entry for every figure on every slide, in order."""
        uses: list[NumberUse] = []
        for slide in self.deck.slides:
            for place in places(slide, self.deck):
                uses += [self._use(slide, place, figure) for figure in find_figures(place.text)]
            uses += self._chart_values(slide)
        return uses

    def _use(self, slide: Slide, place: Place, figure: Figure) -> NumberUse:
        status, evidence = self._origin(place, figure)
        return NumberUse.model_validate(
            {
                "slide": slide.id,
                "text": figure.text,
                "value": figure.value,
                "unit": figure.full_unit,
                "evidence": evidence,
                "status": status,
            }
        )

    def _origin(self, place: Place, figure: Figure) -> tuple[str, list[str]]:
        if figure.kind == "quantity":
            for name in dict.fromkeys(place.evidence):
                number = self.numbers.get(name)
                if number and _same(number.value, number.unit, figure):
                    return ("calculated" if number.formula else "traced"), [name]
        else:
            known = next((i for f, i in self.dates if figure.kind == "date" and f.same(figure)), "")
            if figure.kind == "date" and not known:
                known = next((i for key, i in self.months if same_period(key, figure.key)), "")
            known = known or self.words.get(half_width(figure.text).casefold(), "")
            if known:
                return "traced", [known]
            if (figure.kind == "date" and figure.text in half_width(self.deck.date)) or (
                self.deck.date and figure.text in self.deck.date
            ):
                return "structural", []
        if place.fixed or self._counts(place, figure):
            return "structural", []
        literal = next(
            (
                s.id
                for s in self.material.ledger.snippets
                if not s.hidden and s.id in place.evidence and half_width(figure.text) in half_width(s.text)
            ),
            "",
        )
        return ("traced", [literal]) if literal else ("untraced", [])

    def _counts(self, place: Place, figure: Figure) -> bool:
        """Numbers the layout itself brings: counts of points and steps, the constants of a shown calculation."""
        if (
            figure.kind == "quantity"
            and figure.value is not None
            and (figure.unit in _COUNTERS or figure.text.endswith("points"))
            and 0 <= figure.value <= 12
            and figure.value == int(figure.value)
        ):
            return True
        constant = figure.value in (12.0, 100.0) and re.search(r"[×=−+÷]", place.text) is not None
        return constant or (
            re.fullmatch(r"(?:Month )?\d+(?:か月目)?", figure.text) is not None and figure.kind == "name"
        )

    def _chart_values(self, slide: Slide) -> list[NumberUse]:
        if not slide.chart:
            return []
        uses = []
        for series in slide.chart.series:
            for value in series.values:
                if value is None:
                    continue
                hit = next(
                    (n for i in slide.chart.evidence if (n := self.numbers.get(i)) and _scaled(n.value, value)), None
                )
                status = "untraced" if hit is None else "calculated" if hit.formula else "traced"
                uses.append(
                    NumberUse(
                        slide=slide.id,
                        text=f"{value:g}",
                        value=value,
                        unit=slide.chart.unit,
                        evidence=[hit.id] if hit else [],
                        status=status,
                    )
                )
        return uses


def _same(value: float, unit: str, figure: Figure) -> bool:
    base, own = figure.unit, unit.split("/")[0]
    return (
        figure.value is not None
        and abs(abs(figure.value) - abs(value)) <= 1e-6 * max(1.0, abs(value))
        and (base == own or not base or not own)
    )


def _scaled(value: float, shown: float) -> bool:
    return any(abs(value / scale - shown) <= 1e-4 * max(1.0, abs(shown)) for scale in (1, 1e3, 1e4, 1e6, 1e8))


def untraced_findings(uses: list[NumberUse], language: str) -> list[Finding]:
    return [
        Finding(
            slide=use.slide,
            rule="number_untraced",
            severity="stop",
            message=pick(
                language, f"数値「{use.text}」の根拠がありません。", f"The figure '{use.text}' has no source."
            ),
        )
        for use in uses
        if use.status == "untraced"
    ]


def mark_disputed(deck: Deck, material: Material) -> list[Finding]:
    """Figures on which sources disagree are marked where they stand, and named once per slide."""
    if not material.disputed:
        return []
    words = Words(deck.language)
    mark = f"（{words('to_confirm')}）" if deck.language == "ja" else f" ({words('to_confirm')})"
    numbers = [n for n in material.ledger.numbers if n.id in material.disputed]
    findings = []
    for slide in deck.slides:
        hit = False
        for block in slide.body:
            if any(
                _same(n.value, n.unit, f)
                for f in find_figures(block.text)
                for n in numbers
                if n.id in block.evidence or n.id in slide.evidence
            ):
                block.text = block.text.removesuffix(mark) + mark
                hit = True
        if slide.table and set(slide.table.evidence) & material.disputed:
            slide.table.source = (slide.table.source + " " + words("disputed")).strip()
            hit = True
        if slide.chart and set(slide.chart.evidence) & material.disputed:
            slide.chart.source = (slide.chart.source + " " + words("disputed")).strip()
            hit = True
        if hit:
            findings.append(
                Finding(slide=slide.id, rule="contradiction_used", severity="warn", message=words("disputed_finding"))
            )
    return findings
