"""The way from brief to deck: plan (storyline) → build (slides, checks) → render; every step is saved for a resume.

``plan`` and ``build`` always end in a deck: what the model cannot do (down, slow, wrong) the rules do, and the report
says so.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from apps.common.progress import Progress, silent
from apps.proposals.brief import BriefReading, read_brief
from apps.proposals.brief.load import check_slide_count
from apps.proposals.disclosures import disclosures_for
from apps.proposals.evidence.contradictions import find_contradictions
from apps.proposals.evidence.dates import last_day
from apps.proposals.evidence.document import Document
from apps.proposals.evidence.ledger import build_ledger
from apps.proposals.evidence.read import read_evidence
from apps.proposals.language import Language, pick
from apps.proposals.model import Contradiction, Deck, Finding, Report, Slide, Storyline, StoryPoint
from apps.proposals.report import Tracer, mark_disputed, untraced_findings
from apps.proposals.story.material import make_material
from apps.proposals.story.skeleton import skeleton
from apps.proposals.writing.context import Context
from apps.proposals.writing.effect import find_effects
from apps.proposals.writing.model_text import Asker, Scribe, origins
from apps.proposals.writing.plan import cost_lines
from apps.proposals.writing.slides import message_of, talk, write_slide
from apps.proposals.writing.values import Calculator
from apps.proposals.writing.wording import Scanner, check_wording
from apps.proposals.writing.words import Words
from kakehashi import __version__
from kakehashi.errors import BadInput, KakehashiError


@dataclass(frozen=True)
class Request:
    """What is asked for. ``language`` and ``slides`` override the brief; ``today`` is for tests."""

    brief: Path
    evidence: tuple[Path, ...] = ()
    language: Language | None = None
    slides: int | None = None
    max_attachment_mib: int = 50
    say: Language = "ja"
    today: date | None = None


@dataclass(frozen=True)
class Models:
    """The ways out of the process: questions to the model, texts to the wording check. None: not to be used.

    ``budget_s``: how long one step may wait for a model that does not answer; then the rules write the rest.
    """

    asker: Asker | None = None
    scanner: Scanner | None = None
    budget_s: float = 120.0


@dataclass
class Prepared:
    """Brief and evidence read, before any model: recomputed from the files on every call, which takes a second."""

    reading: BriefReading
    context: Context
    storyline: Storyline
    findings: list[Finding]
    contradictions: list[Contradiction]
    evidence: list[dict[str, str]]
    fingerprint: str


@dataclass
class Plan:
    """What the user may edit before the slides are written."""

    storyline: Storyline
    findings: list[Finding]
    contradictions: list[Contradiction]
    stages: dict[str, str] = field(default_factory=dict)
    error: KakehashiError | None = None


@dataclass
class Draft:
    """The finished deck with its report. ``error``: what kept the model or a check from its work."""

    deck: Deck
    report: Report
    error: KakehashiError | None = None


def prepare(request: Request) -> Prepared:
    """Read and check everything given. Raises BadInput for a brief or attachment that cannot be used."""
    reading = read_brief(request.brief, say=request.say)
    if request.slides is not None:
        check_slide_count(request.slides, request.say)
    changes = {k: v for k, v in (("language", request.language), ("slide_count", request.slides)) if v is not None}
    reading = replace(reading, brief=reading.brief.model_copy(update=changes))
    documents = read_evidence(request.evidence, max_mib=request.max_attachment_mib, say=request.say)
    today = (
        (last_day(reading.brief.date) if reading.brief.date else None)
        or request.today
        or datetime.now(tz=UTC).astimezone().date()
    )
    brief_bytes = request.brief.read_bytes()
    build = build_ledger(reading, brief_bytes, documents, today)
    disputes = find_contradictions(build.ledger, build.expired)
    material = make_material(reading, build, disputes)
    calculator = Calculator(build.ledger, reading.brief.language)
    effects = find_effects(material, calculator)
    disclosure = disclosures_for(reading.brief, prepared=printed_date(today, reading.brief.language))
    context = Context(material, Words(reading.brief.language), calculator, effects, disclosure, cost_lines(material))
    points, findings = skeleton(material, effects, reading.brief.slide_count)
    context.points = points
    for point in points:
        point.message = message_of(point, context)
        point.evidence = material.cite(point.message)
    contradicting = [_contradiction_finding(c, reading.brief.language) for c in disputes.contradictions]
    context.findings.clear()
    return Prepared(
        reading,
        context,
        Storyline(title=_deck_title(points), points=points),
        [*reading.findings, *build.findings, *findings, *contradicting, *disclosure.findings],
        disputes.contradictions,
        _hashes(request.brief.name, brief_bytes, documents),
        _fingerprint(brief_bytes, documents, changes, today),
    )


def _deck_title(points: list[StoryPoint]) -> str:
    return next((p.message for p in points if p.kind == "title"), points[0].message)


def printed_date(day: date, language: str) -> str:
    return f"{day.year}年{day.month}月{day.day}日" if language == "ja" else f"{day.day} {day:%B} {day.year}"


def _hashes(name: str, brief: bytes, documents: list[Document]) -> list[dict[str, str]]:
    return [
        {"file": name, "sha256": hashlib.sha256(brief).hexdigest()},
        *({"file": d.name, "sha256": d.sha256} for d in documents),
    ]


def _fingerprint(brief: bytes, documents: list[Document], changes: dict[str, Any], today: date) -> str:
    parts = [
        hashlib.sha256(brief).hexdigest(),
        *(d.sha256 for d in documents),
        json.dumps(changes, sort_keys=True),
        str(today),
        __version__,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _contradiction_finding(found: Contradiction, language: str) -> Finding:
    pairs = [
        f"{v}（{s}）" if language == "ja" else f"{v} ({s})" for v, s in zip(found.values, found.sources, strict=True)
    ]
    message = pick(
        language,
        f"「{found.label}」の値が資料によって異なります: {'、'.join(pairs)}。正しい値を確認してください。",
        f"Sources disagree on '{found.label}': {', '.join(pairs)}. Please confirm.",
    )
    return Finding(slide="", rule="contradiction", severity="warn", message=message)


class Work:
    """The folder of one job: what was already made for these inputs is kept; what was made for others is thrown away.

    Files: ``brief.json``, ``ledger.json``, ``storyline.json`` (as planned), ``edited.json`` (as a person left it),
    ``slides/<id>.json``, ``deck.json``, ``report.json``. Other files in the folder are not touched.
    """

    OWN = ("stages.json", "brief.json", "ledger.json", "storyline.json", "edited.json", "deck.json", "report.json")

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        stamp = folder / "inputs.sha256"
        if stamp.exists() and stamp.read_text() != fingerprint:
            for name in self.OWN:
                (folder / name).unlink(missing_ok=True)
            self.clear_slides()
        (folder / "slides").mkdir(parents=True, exist_ok=True)
        stamp.write_text(fingerprint)

    def clear_slides(self) -> None:
        shutil.rmtree(self.folder / "slides", ignore_errors=True)
        (self.folder / "slides").mkdir(parents=True)

    def load(self, name: str) -> Any | None:
        path = self.folder / name
        return json.loads(path.read_text("utf-8")) if path.exists() else None

    def save(self, name: str, content: Any) -> None:
        """Write and then rename, so that a killed process leaves the old file or the new one, never half of it."""
        path = self.folder / name
        partial = path.with_name(path.name + ".part")
        partial.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
        partial.replace(path)


def plan(request: Request, models: Models, *, work: Path, progress: Progress = silent) -> Plan:
    """The storyline: one slide per point with its message, to be shown for edit. Raises BadInput, Cancelled."""
    progress("brief", 0.02)
    prepared = prepare(request)
    store = Work(work, prepared.fingerprint)
    progress("storyline", 0.1)
    return _plan(prepared, models, store)


def _plan(prepared: Prepared, models: Models, store: Work) -> Plan:
    saved = store.load("storyline.json")
    store.save("brief.json", prepared.reading.brief.model_dump())
    store.save("ledger.json", prepared.context.material.ledger.model_dump())
    if saved is not None:
        return Plan(
            Storyline.model_validate(saved), prepared.findings, prepared.contradictions, store.load("stages.json") or {}
        )
    scribe = Scribe(prepared.context, models.asker, budget_s=models.budget_s)
    scribe.messages(prepared.storyline.points)
    plan_ = Plan(
        prepared.storyline, [*prepared.findings, *scribe.findings], prepared.contradictions, {"storyline": scribe.stage}
    )
    plan_.error = scribe.error if scribe.stage == "failed" else None
    if scribe.stage != "failed":
        store.save("stages.json", plan_.stages)
        store.save("storyline.json", plan_.storyline.model_dump())
    return plan_


def build(
    request: Request, models: Models, *, work: Path, storyline: Storyline | None = None, progress: Progress = silent
) -> Draft:
    """The deck with its report, from the planned or an edited storyline. Raises BadInput, Cancelled."""
    started = time.monotonic()
    progress("evidence", 0.05)
    prepared = prepare(request)
    store = Work(work, prepared.fingerprint)
    read_s = time.monotonic() - started
    progress("storyline", 0.1)
    planned = (
        _plan(prepared, models, store)
        if storyline is None
        else Plan(storyline, prepared.findings, prepared.contradictions, {"storyline": "edited"})
    )
    if storyline is not None:
        _adopt(storyline, prepared, store)
    story_s = time.monotonic() - started - read_s
    context = prepared.context
    context.points = planned.storyline.points
    progress("writing", 0.35)
    slides, scribe = _write(context, models, store, progress, planned.error)
    progress("checks", 0.85)
    draft = _finish(prepared, planned, slides, scribe, models)
    draft.report.meta["timings_s"] = {
        "evidence": round(read_s, 2),
        "storyline": round(story_s, 2),
        "writing": round(time.monotonic() - started - read_s - story_s, 2),
    }
    store.save("deck.json", draft.deck.model_dump())
    store.save("report.json", draft.report.model_dump())
    progress("checks", 0.9)
    return draft


def _adopt(storyline: Storyline, prepared: Prepared, store: Work) -> None:
    """Take an edited storyline: ids for new points; slides whose point changed are written anew."""
    taken = {p.id for p in storyline.points if p.id}
    for index, point in enumerate(storyline.points):
        if not point.id:
            point.id = next(n for n in (point.kind, *(f"{point.kind}-{i}" for i in range(2, 99))) if n not in taken)
            taken.add(point.id)
        point.message = point.message.strip() or message_of(point, replace(prepared.context, points=storyline.points))
        _ = index
    before = store.load("edited.json")
    now = storyline.model_dump()
    if before != now:
        store.clear_slides()
        store.save("edited.json", now)


def _write(
    context: Context, models: Models, store: Work, progress: Progress, error: KakehashiError | None
) -> tuple[list[Slide], Scribe]:
    """Deterministic slides first (all saved), then the model's wording for those not yet worded."""
    scribe = Scribe(context, models.asker, budget_s=models.budget_s)
    scribe.error = error
    slides: list[Slide] = []
    todo: list[Slide] = []
    for point in context.points:
        saved = store.load(f"slides/{point.id}.json")
        fresh = write_slide(point, context)  # also registers its calculations and findings
        slide = Slide.model_validate(saved) if saved is not None else fresh
        slides.append(slide)
        if saved is None:
            todo.append(slide)

    def worded(done: int) -> None:
        progress("writing", 0.35 + 0.5 * done / max(1, len(todo)), detail=f"{done}/{len(todo)}")

    scribe.word(todo, on_done=worded)
    for slide in todo:
        slide.notes = talk(slide, context)
        if scribe.stage != "failed":
            store.save(f"slides/{slide.id}.json", slide.model_dump())
    return slides, scribe


def _finish(prepared: Prepared, planned: Plan, slides: list[Slide], scribe: Scribe, models: Models) -> Draft:
    """Assemble, check the wording, mark what is disputed, trace every figure, write the report."""
    context, brief = prepared.context, prepared.reading.brief
    material = context.material
    deck = Deck(
        title=next((s.title for s in slides if s.kind == "title"), planned.storyline.title),
        client=brief.client,
        language=brief.language,
        date=printed_date(material.today, brief.language),
        author=" ".join(t for t in (brief.company, brief.author) if t),
        slides=slides,
    )
    wording, wording_stage, wording_error, policy = check_wording(
        deck, models.scanner, {p.id: message_of(p, context) for p in context.points}
    )
    disputed = mark_disputed(deck, material)
    uses = Tracer(material, deck).trace()
    findings = [
        *prepared.findings,
        *context.findings,
        *scribe.findings,
        *wording,
        *disputed,
        *untraced_findings(uses, brief.language),
    ]
    stages = {"brief": "done", "evidence": "done", **planned.stages, "writing": scribe.stage, "wording": wording_stage}
    traced = origins(deck, planned.storyline)
    traced["policies"] = sorted({*traced["policies"], policy} - {""})
    deck.meta = {
        "generator": f"kakehashi {__version__}",
        **traced,
        "disclosures": f"{context.disclosure.version}:{'+'.join(context.disclosure.packs)}",
        "evidence": prepared.evidence,
        "stages": stages,
    }
    report = Report(
        numbers=uses,
        findings=findings,
        contradictions=prepared.contradictions,
        meta={
            **deck.meta,
            "model_calls": scribe.calls,
            "tokens": scribe.tokens,
            "rejected": scribe.rejected,
            "model_budget_s": models.budget_s,
            "ledger": material.ledger.model_dump(),
        },
    )
    return Draft(deck, report, scribe.error or wording_error)


def regenerate(
    request: Request, slide_id: str, models: Models, *, work: Path, instruction: str = "", progress: Progress = silent
) -> Draft:
    """Write one slide anew (with a wish: 「もっと簡潔に」), keeping all others. Raises BadInput for an unknown slide."""
    prepared = prepare(request)
    store = Work(work, prepared.fingerprint)
    deck, edited = store.load("deck.json"), store.load("edited.json")
    if deck is None:
        return build(request, models, work=work, progress=progress)
    saved = edited or store.load("storyline.json")
    storyline = Storyline.model_validate(saved) if saved else prepared.storyline
    point = next((p for p in storyline.points if p.id == slide_id), None)
    if point is None:
        raise BadInput(
            pick(request.say, f"スライド「{slide_id}」はありません。", f"There is no slide '{slide_id}'."),
            code="slide_unknown",
        )
    progress("writing", 0.3)
    context = prepared.context
    context.points = storyline.points
    kept = {s["id"]: Slide.model_validate(s) for s in deck["slides"]}
    slides = []
    scribe = Scribe(context, models.asker, instruction=instruction, fresh=True, budget_s=models.budget_s)
    for other in context.points:
        fresh = write_slide(other, context)
        slides.append(fresh if other.id == slide_id or other.id not in kept else kept[other.id])
    target = next(s for s in slides if s.id == slide_id)
    scribe.word([target])
    target.notes = talk(target, context)
    store.save(f"slides/{slide_id}.json", target.model_dump())
    draft = _finish(
        prepared,
        Plan(storyline, prepared.findings, prepared.contradictions, {"storyline": "done"}),
        slides,
        scribe,
        models,
    )
    store.save("deck.json", draft.deck.model_dump())
    store.save("report.json", draft.report.model_dump())
    progress("checks", 0.9)
    return draft


@dataclass
class Outcome:
    """What ``run`` left in the folder. ``preview_missing``: why there are no pictures, and the remedy."""

    draft: Draft
    files: list[Path]
    preview_missing: str = ""


def run(
    request: Request,
    models: Models,
    out: Path,
    *,
    template: Path | None = None,
    work: Path | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Brief → ``deck.pptx deck.json report.json preview/*.png`` in ``out``. Raises BadInput, Cancelled.

    ``work`` (by default ``out/.work``) holds finished steps, so that the same call goes on after a kill.
    """
    from apps.proposals.render import check_template

    if template is not None:
        check_template(template)  # a template that cannot be used is said before any work
    out.mkdir(parents=True, exist_ok=True)
    draft = build(request, models, work=work or out / ".work", progress=progress)
    return publish(draft, out, template=template, say=request.say, progress=progress)


def publish(
    draft: Draft, out: Path, *, template: Path | None = None, say: Language = "ja", progress: Progress = silent
) -> Outcome:
    """Render a draft, check the file, make the previews, and write everything to ``out``."""
    from apps.proposals import publish as files

    progress("render", 0.92)
    stages = draft.report.meta["stages"]
    shown = files.publish(draft.deck, draft.report, out, template=template)
    progress("preview", 0.95)
    made = files.pictures(out)
    stages["preview"] = "failed" if made.error else "done"
    files.write_report(shown.report, out)
    draft.report = shown.report
    progress("done", 1.0)
    written = [out / name for name in (files.PPTX, files.DECK, files.REPORT)]
    return Outcome(draft, [*written, *made.files], made.missing(say))
