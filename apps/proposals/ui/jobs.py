"""What the worker of the proposals app does: plan, build, revise; each keeps its results and is run again alone."""

from __future__ import annotations

from datetime import date
from functools import partial

from pydantic import TypeAdapter

from apps.common.jobs import Failure, Kind, Outcome, Stage, Work
from apps.common.jobs.folder import write_atomic
from apps.common.jobs.worker import failure
from apps.proposals import connect, pipeline
from apps.proposals.model import Deck, Report
from apps.proposals.publish import pictures, publish
from apps.proposals.report import Tracer, mark_disputed, untraced_findings
from apps.proposals.ui.store import PageOf, Proposal
from apps.proposals.writing.wording import Scanner, check_wording
from kakehashi.errors import BadInput, NotReady
from kakehashi.settings import Settings

PLAN_STAGE, BUILD_STAGE, REVISE_STAGE = 0, 1, 2
# what recheck finds anew, by the beginning of the rules' names
CONTENT_RULES = ("wording", "number_untraced", "contradiction_used")
LIGHT = "proposals-light"  # one slide, or only the file and its previews: need not wait behind whole decks


def request(loaded: Settings, work: Work, proposal: Proposal) -> pipeline.Request:
    """What the job asks for. Its own day counts as today, so that going on tomorrow changes nothing."""
    briefs = proposal.files("brief")
    if not briefs:
        raise BadInput("The brief is missing.", code="upload_unknown")
    return pipeline.Request(
        brief=briefs[0],
        evidence=tuple(proposal.files("evidence")),
        max_attachment_mib=loaded.proposals.max_attachment_mib,
        say=proposal.options.language,
        today=date.fromisoformat(work.info.created[:10]),
    )


def models(loaded: Settings, work: Work) -> tuple[pipeline.Models, list[Failure]]:
    """The way to the model; without a key the rules alone write the deck, and the job says so."""
    ways, missing = connect.models(loaded, user=work.info.user, vouched=work.info.vouched, job=work.info.id)
    return ways, [failure("writing", missing)] if missing else []


def plan(loaded: Settings, work: Work) -> Outcome:
    """The storyline, kept for the person to edit."""
    proposal = Proposal(work.folder)
    ways, failures = models(loaded, work)
    planned = pipeline.plan(request(loaded, work, proposal), ways, work=proposal.pipeline_work, progress=work.progress)
    notes = Report(findings=planned.findings, contradictions=planned.contradictions)
    write_atomic(proposal.plan_report_file, notes.model_dump_json().encode())
    write_atomic(proposal.storyline_file, planned.storyline.model_dump_json().encode())
    return Outcome(state="attention" if failures else "done", failures=failures)


def build(loaded: Settings, work: Work) -> Outcome:
    """The slides, once the person has approved the storyline; until then the job waits."""
    proposal = Proposal(work.folder)
    if proposal.deck() is None and not proposal.rebuilding():
        return Outcome(state="waiting")
    ways, failures = models(loaded, work)
    draft = pipeline.build(
        request(loaded, work, proposal),
        ways,
        work=proposal.pipeline_work,
        storyline=proposal.edited_storyline(),
        progress=work.progress,
    )
    if draft.error is not None:
        failures = [failure("writing", draft.error)]
    write_atomic(proposal.report_file, draft.report.model_dump_json().encode())
    write_atomic(proposal.deck_file, draft.deck.model_dump_json().encode())
    proposal.built()
    return Outcome(state="attention" if failures else "done", failures=failures)


def revise(loaded: Settings, work: Work) -> Outcome:
    """A slide written anew if one is asked for; then file, checks and previews of the deck as it is now."""
    proposal = Proposal(work.folder)
    failures = _rewrite(loaded, work, proposal)
    version, deck = proposal.version(), proposal.deck()
    if deck is None:
        raise BadInput("There is no deck yet.", code="upload_unknown")
    report = proposal.build_report()
    if proposal.slide_edits():
        ways, _ = models(loaded, work)
        report = recheck(request(loaded, work, proposal), deck, report, ways.scanner)
    work.progress("render", 0.3)
    _file(proposal, deck, report)
    work.progress("preview", 0.6)
    failures += _previews(proposal)
    proposal.mark_rendered(version)
    return Outcome(state="attention" if failures else "done", failures=failures)


def _rewrite(loaded: Settings, work: Work, proposal: Proposal) -> list[Failure]:
    wanted = proposal.rewrite()
    if wanted is None:
        return []
    ways, failures = models(loaded, work)
    draft = pipeline.regenerate(
        request(loaded, work, proposal),
        wanted.slide,
        ways,
        work=proposal.pipeline_work,
        instruction=wanted.instruction,
        progress=work.progress,
    )
    proposal.rewritten(next(slide for slide in draft.deck.slides if slide.id == wanted.slide))
    return [failure("writing", draft.error)] if draft.error else failures


def recheck(asked: pipeline.Request, deck: Deck, before: Report, scanner: Scanner | None) -> Report:
    """The content checks again, by code, over a deck that a person changed."""
    material = pipeline.prepare(asked).context.material
    wording, _, _, _ = check_wording(deck, scanner, {slide.id: slide.title for slide in deck.slides})
    uses = Tracer(material, deck).trace()
    fresh = [*wording, *mark_disputed(deck, material), *untraced_findings(uses, deck.language)]
    kept = [f for f in before.findings if not f.rule.startswith(CONTENT_RULES)]
    return before.model_copy(update={"numbers": uses, "findings": [*kept, *fresh]})


def _file(proposal: Proposal, deck: Deck, report: Report) -> None:
    """The .pptx with its own checks, and which slide each of its pages shows."""
    made = publish(deck, report, proposal.folder.out, template=proposal.template)
    pages = [PageOf(number=p.number, slide=p.slide) for p in made.pages]
    write_atomic(proposal.pages_file, TypeAdapter(list[PageOf]).dump_json(pages))


def _previews(proposal: Proposal) -> list[Failure]:
    """Pictures of the slides. Without LibreOffice the page itself says what is missing; the deck is complete."""
    error = pictures(proposal.folder.out).error
    return [] if error is None or isinstance(error, NotReady) else [failure("preview", error)]


def kind(loaded: Settings) -> Kind:
    steps = (("plan", plan, 0.2), ("build", build, 0.9), ("revise", revise, 1.0))
    stages = tuple(Stage(name, partial(step, loaded), end=end) for name, step, end in steps)
    return Kind("proposals", stages, {"proposals": 2, LIGHT: 2}, loaded.proposals.jobs_database_url)
