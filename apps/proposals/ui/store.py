"""A proposal as the page shows it: what the job made, with people's changes over it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

from apps.common.editlog import Edit, EditLog
from apps.common.jobs import JobFolder
from apps.common.jobs.folder import write_atomic
from apps.common.provenance import Origin
from apps.proposals.model import Deck, Ledger, Report, Slide, Storyline, TextBlock

M = TypeVar("M", bound=BaseModel)
SLIDE_OPS = ("slide", "rewritten")


class Options(BaseModel):
    """``options.json`` of a proposal. ``brief``: the form as typed, empty when the brief is a file."""

    model_config = ConfigDict(extra="forbid")
    language: Literal["ja", "en"] = "ja"  # of messages; the deck's own is in the brief
    brief: dict[str, Any] = {}


@dataclass(frozen=True)
class Proposal:
    """One job of the proposals app."""

    folder: JobFolder

    @property
    def log(self) -> EditLog:
        return EditLog(self.folder.edits)

    @property
    def options(self) -> Options:
        return self.folder.options(Options)

    def files(self, purpose: str) -> list[Path]:
        """The uploads for a purpose (brief, evidence, template)."""
        return [
            self.folder.root / upload.file
            for upload in self.folder.info().uploads
            if Path(upload.file).parts[1] == purpose
        ]

    @property
    def template(self) -> Path | None:
        return next(iter(self.files("template")), None)

    @property
    def pptx(self) -> Path:
        return self.folder.out / "deck.pptx"

    @property
    def pipeline_work(self) -> Path:
        """The pipeline's own folder: it throws it away when its inputs change."""
        return self.folder.work / "pipeline"

    @property
    def storyline_file(self) -> Path:
        return self.folder.work / "storyline.json"

    @property
    def plan_report_file(self) -> Path:
        return self.folder.work / "plan.json"

    @property
    def deck_file(self) -> Path:
        return self.folder.work / "deck.json"

    @property
    def report_file(self) -> Path:
        return self.folder.work / "report.json"

    @property
    def pages_file(self) -> Path:
        return self.folder.work / "pages.json"

    def previews(self) -> dict[str, list[Path]]:
        """Pictures by slide id: a long slide may have become several pages."""
        pictures = sorted((self.folder.out / "preview").glob("*.png"))
        found: dict[str, list[Path]] = {}
        if self.pages_file.exists():
            for page in TypeAdapter(list[PageOf]).validate_json(self.pages_file.read_bytes()):
                if page.number <= len(pictures):
                    found.setdefault(page.slide, []).append(pictures[page.number - 1])
        return found

    def build_report(self) -> Report:
        """The report as the slides were written, before file and look were checked."""
        return _read(self.report_file, Report) or Report()

    def ledger(self) -> Ledger | None:
        held = self.build_report().meta.get("ledger")
        return Ledger.model_validate(held) if held else None

    def report(self) -> Report:
        """What the page shows: the last full report, or what was found while planning."""
        return _read(self.folder.out / "report.json", Report) or _read(self.plan_report_file, Report) or Report()

    def storyline(self) -> Storyline | None:
        """The storyline as edited."""
        return self.edited_storyline() or _read(self.storyline_file, Storyline)

    def edited_storyline(self) -> Storyline | None:
        """The last edit of the storyline that counts; None when nobody changed it."""
        edits = [edit for edit in self.log.effective() if edit.op == "storyline"]
        return Storyline.model_validate(edits[-1].values["storyline"]) if edits else None

    def deck(self) -> Deck | None:
        """The deck as edited and rewritten."""
        made = _read(self.deck_file, Deck)
        return apply(made, self.log.effective()) if made else None

    def save_storyline(self, by: str, storyline: Storyline) -> None:
        self.log.add(by, "storyline", storyline=storyline.model_dump(mode="json"))

    def want_build(self) -> None:
        """Ask for (new) slides: what was built before no longer counts."""
        (self.folder.work / "wanted").touch()

    def rebuilding(self) -> bool:
        return (self.folder.work / "wanted").exists()

    def built(self) -> None:
        (self.folder.work / "wanted").unlink(missing_ok=True)

    @property
    def _rewrite_file(self) -> Path:
        return self.folder.work / "rewrite.json"

    def ask_rewrite(self, slide: str, instruction: str) -> None:
        write_atomic(self._rewrite_file, Rewrite(slide=slide, instruction=instruction).model_dump_json().encode())

    def rewrite(self) -> Rewrite | None:
        return _read(self._rewrite_file, Rewrite)

    def rewritten(self, slide: Slide) -> None:
        """Keep a rewritten slide as a change that can be undone."""
        self.log.add("", "rewritten", slide.id, slide=slide.model_dump(mode="json"))
        self._rewrite_file.unlink(missing_ok=True)

    def slide_edits(self) -> list[Edit]:
        """The changes of slides since they were last built."""
        edits = self.log.effective()
        last = max((i for i, edit in enumerate(edits) if edit.op == "built"), default=-1)
        return [edit for edit in edits[last + 1 :] if edit.op in SLIDE_OPS]

    def version(self) -> str:
        return hashlib.sha256("\n".join(e.model_dump_json() for e in self.slide_edits()).encode()).hexdigest()

    def stale(self) -> bool:
        """Whether the .pptx does not show the last change of a slide."""
        marker = self.folder.work / "rendered"
        return self.pptx.exists() and (not marker.exists() or marker.read_text() != self.version())

    def mark_rendered(self, version: str) -> None:
        """``version`` as it was before rendering: a change made meanwhile leaves the file stale."""
        write_atomic(self.folder.work / "rendered", version.encode())


class PageOf(BaseModel):
    """Which slide a page of the file shows."""

    model_config = ConfigDict(extra="forbid")
    number: int
    slide: str


class Rewrite(BaseModel):
    """A slide that a person wants written anew."""

    model_config = ConfigDict(extra="forbid")
    slide: str
    instruction: str = ""


def _read(file: Path, model: type[M]) -> M | None:
    return model.model_validate_json(file.read_bytes()) if file.exists() else None


def apply(deck: Deck, edits: Sequence[Edit]) -> Deck:
    """The deck with the changes since it was last built (``built`` in the log)."""
    last = max((i for i, edit in enumerate(edits) if edit.op == "built"), default=-1)
    slides = [slide.model_copy(deep=True) for slide in deck.slides]
    places = {slide.id: number for number, slide in enumerate(slides)}
    for edit in edits[last + 1 :]:
        number = places.get(edit.target)
        if number is None:
            continue
        if edit.op not in SLIDE_OPS:
            continue
        if edit.op == "slide":
            slides[number] = edited(slides[number], edit.values)
        else:
            slides[number] = Slide.model_validate(edit.values["slide"])
    return deck.model_copy(update={"slides": slides})


def edited(slide: Slide, values: dict[str, Any]) -> Slide:
    """A slide with new title, body lines or notes; a body line that stays keeps its evidence."""
    known = {block.text: block for block in slide.body}
    changes: dict[str, Any] = {k: v for k, v in values.items() if k in ("title", "notes", "locked")}
    if "body" in values:
        changes["body"] = [
            known[line["text"]].model_copy(update={"level": line["level"]})
            if line["text"] in known
            else TextBlock(text=line["text"], level=line["level"], origin=Origin(source="person"))
            for line in values["body"]
        ]
    return slide.model_copy(update=changes)


def body_text(slide: Slide) -> str:
    """The body as one text to edit: a line per block, ``- `` per level."""
    return "\n".join("- " * block.level + block.text for block in slide.body)


def body_lines(text: str) -> list[dict[str, Any]]:
    """The inverse of :func:`body_text`."""
    lines = []
    for line in text.splitlines():
        level = 0
        while line.startswith("- "):
            line, level = line[2:], level + 1
        if line.strip():
            lines.append({"text": line.strip(), "level": min(level, 3)})
    return lines
