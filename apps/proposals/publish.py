"""From a checked draft to its files: deck.pptx, deck.json, report.json, preview/*.png, the same for command and page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from apps.proposals.checks import check_file, check_look, file_errors
from apps.proposals.language import Language, pick
from apps.proposals.model import Deck, Finding, Report
from apps.proposals.render import preview, render
from apps.proposals.render.deck import PageInfo
from apps.proposals.render.preview import PreviewFailed
from kakehashi.errors import KakehashiError, NotReady

PPTX, DECK, REPORT, PREVIEW = "deck.pptx", "deck.json", "report.json", "preview"


@dataclass(frozen=True)
class Published:
    """What now lies in the folder. ``report``: the given one with what the finished file showed."""

    report: Report
    pages: list[PageInfo]


def publish(deck: Deck, report: Report, out: Path, *, template: Path | None = None) -> Published:
    """Render, look at the finished file as a viewer and as PowerPoint would, and write deck and report beside it.

    Raises:
        BadInput: the template cannot be used.
    """
    started = time.monotonic()
    pptx = out / PPTX
    result = render(deck, pptx, template=template)
    rendered = time.monotonic()
    found = [*result.findings, *check_look(pptx, pages=result.pages, language=deck.language)]
    found += check_file(pptx, language=deck.language, baseline=file_errors(template) if template else None)
    seconds = {"render": round(rendered - started, 2), "file_checks": round(time.monotonic() - rendered, 2)}
    meta = {
        **report.meta,
        "editable_share": result.editable_share,
        "timings_s": {**report.meta.get("timings_s", {}), **seconds},
    }
    shown = report.model_copy(update={"findings": _joined(report.findings, found), "meta": meta})
    _write(out / DECK, deck.model_dump_json(indent=1))
    write_report(shown, out)
    return Published(shown, result.pages)


def write_report(report: Report, out: Path) -> None:
    """(Again) once a later step has changed what it says of the stages."""
    _write(out / REPORT, report.model_dump_json(indent=1))


def _write(path: Path, text: str) -> None:
    """By rename: a reader sees the old file or the new one, never half of it."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def _joined(known: list[Finding], found: list[Finding]) -> list[Finding]:
    """Each finding once, those of the content first."""
    return list({(f.slide, f.rule, f.message, f.status): f for f in [*known, *found]}.values())


@dataclass(frozen=True)
class Pictures:
    """The previews, or why there are none and the remedy; the deck is complete either way."""

    files: list[Path]
    error: KakehashiError | None = None

    def missing(self, say: Language) -> str:
        if self.error is None:
            return ""
        prefix = pick(say, "プレビュー画像は作られませんでした: ", "No preview pictures: ")
        return f"{prefix}{self.error.message} {self.error.hint}".strip()


def pictures(out: Path) -> Pictures:
    """Pictures of the slides in ``out/preview``."""
    try:
        return Pictures(preview(out / PPTX, out / PREVIEW))
    except (NotReady, PreviewFailed) as error:
        return Pictures([], error)
