"""Recording or transcript → minutes → files. Every stage keeps its result, so that a rerun does only what is missing.

    audio ──speech──▶ transcript.json ──rules──▶ draft ──model──▶ minutes.json ──▶ docx, md, srt

The rules take milliseconds and are run anew each time; what costs time (speech, each answer of the model) is on disk as
soon as it is there. Without a model the rules' minutes are written all the same, and the stages say that it failed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from apps.common.client import Answer
from apps.common.progress import Progress, silent
from apps.common.provenance import Check, Origin
from apps.minutes.answers import ONE_ONLY, Answers, Asker, ask
from apps.minutes.model import Item, Meeting, Minutes, Statement, Transcript
from apps.minutes.text import refine
from apps.minutes.text.draft import Draft, compose, draft, meeting_date
from apps.minutes.text.names import name_speakers
from apps.minutes.text.people import People
from apps.minutes.text.reasons import Reason, pattern, sentence
from apps.minutes.text.terms import with_terms
from apps.minutes.text.verify import UNSURE, verify
from kakehashi.errors import BadInput, Cancelled, KakehashiError
from kakehashi.settings import Settings

SECTIONS = ("topics", "decisions", "actions", "open_questions")
SPEECH_SHARE = 0.75  # of the whole time, for progress
_CHECKED_BY_CODE = ("no_evidence", "unknown_segment", "name", "number", "date", "wording", "negation", "unclear_speech")


@dataclass(frozen=True)
class Request:
    """What a run is asked for. ``language``: of the speech, or auto; ``output``: of the minutes, by default the same."""

    meeting: Meeting
    glossary: Sequence[str] = ()
    language: str = "auto"
    output: str | None = None
    speaker_count: int | None = None


@dataclass
class MinutesResult:
    """``error``: why the model's part is missing or incomplete; the minutes are there all the same."""

    minutes: Minutes
    transcript: Transcript
    error: KakehashiError | None = None
    files: list[Path] = field(default_factory=list)


def run(
    audio: Path | None,
    *,
    out: Path,
    work: Path,
    request: Request,
    settings: Settings,
    client: Asker | None,
    progress: Progress = silent,
    transcript: Transcript | None = None,
) -> MinutesResult:
    """The whole way. Raises BadInput for unusable audio, Cancelled when the user stops; results so far stay on disk."""
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    if transcript is None:
        if audio is None:
            raise BadInput("Neither a recording nor a transcript was given.", code="no_input")
        transcript = speech(
            audio, work=work, request=request, settings=settings, progress=_share(progress, 0, SPEECH_SHARE)
        )
    transcribed = time.monotonic()
    save_transcript(transcript, out, request)
    start = SPEECH_SHARE if audio is not None else 0.0
    result = make_minutes(transcript, request, client=client, work=work, progress=_share(progress, start, 0.97))
    timings = result.minutes.meta["timings_s"]
    result.minutes.meta["timings_s"] = {"speech": round(transcribed - began, 2), **timings} if audio else timings
    progress("documents", 0.97)
    result.files = write_documents(result, out)
    progress("done", 1.0)
    return result


def speech(audio: Path, *, work: Path, request: Request, settings: Settings, progress: Progress) -> Transcript:
    """The recording as a transcript, terms and voices named where that is certain; what an earlier run recognised is kept."""
    from apps.minutes.speech.transcribe import transcribe

    transcript: Transcript = transcribe(
        audio,
        work=work,
        settings=settings,
        participants=list(request.meeting.participants),
        glossary=list(request.glossary),
        language=request.language,
        speaker_count=request.speaker_count,
        progress=progress,
    )
    return with_names(with_terms(transcript, request.glossary), request.meeting)


def with_names(transcript: Transcript, meeting: Meeting) -> Transcript:
    """The transcript with the names of voices that are certain; ``meta["speaker_names"]`` tells why, and the likely."""
    return name_speakers(transcript, draft(transcript, meeting).talk.speakers)


def make_minutes(
    transcript: Transcript, request: Request, *, client: Asker | None, work: Path, progress: Progress = silent
) -> MinutesResult:
    """Minutes from a transcript, edited or not. With ``client`` None the model is left out on purpose."""
    began = time.monotonic()
    language = output_language(transcript, request)
    progress("rules", 0.0)
    drafted = draft(transcript, request.meeting)
    minutes = compose(drafted, request.meeting, language)
    ruled = time.monotonic()
    error: KakehashiError | None = None
    asked: list[Origin] = []
    if client is not None:
        minutes, error, asked = _refined(minutes, transcript, drafted, language, client, work, progress)
    minutes.stages = _stages(minutes, error)
    minutes.meta = _meta(asked, transcript, language, error)
    minutes.meta["timings_s"] = {"rules": round(ruled - began, 2), "model": round(time.monotonic() - ruled, 2)}
    return MinutesResult(minutes, transcript, error)


def output_language(transcript: Transcript, request: Request) -> str:
    """Of the minutes: as asked, else that of the speech, else Japanese."""
    wanted = request.output or (request.language if request.language != "auto" else transcript.language)
    return "en" if wanted.lower().startswith("en") else "ja"


def _refined(
    minutes: Minutes,
    transcript: Transcript,
    drafted: Draft,
    language: str,
    client: Asker,
    work: Path,
    progress: Progress,
) -> tuple[Minutes, KakehashiError | None, list[Origin]]:
    todo = refine.tasks(minutes, transcript, drafted, language)
    began = time.monotonic()

    def tick(done: int, total: int) -> None:
        fraction = done / total if total else 1.0
        left = (time.monotonic() - began) / fraction * (1 - fraction) if fraction else None
        progress("minutes", fraction, eta_s=left, detail=f"{done}/{total}")

    results = ask([t.question for t in todo], client, Answers(work / "answers"), tick)
    good = [(t, r) for t, r in zip(todo, results, strict=True) if isinstance(r, Answer)]
    failed = next((r for r in results if isinstance(r, KakehashiError) and r.code not in ONE_ONLY), None)
    return refine.apply(minutes, transcript, drafted, good), failed, [r.origin for _, r in good]


def _stages(minutes: Minutes, error: KakehashiError | None) -> dict[str, Any]:
    """done, none (nothing found) or failed (the model's part is missing: what stands there is the rules' alone)."""
    if error is not None:
        return dict.fromkeys(SECTIONS, "failed")
    return {name: "done" if getattr(minutes, name) else "none" for name in SECTIONS}


def _meta(
    origins: Sequence[Origin], transcript: Transcript, language: str, error: KakehashiError | None
) -> dict[str, Any]:
    """Of the whole run. ``request_ids`` are all requests that were answered, also those whose answer was not taken."""
    meta: dict[str, Any] = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "language": language,
        "model": sorted({o.model for o in origins if o.model}),
        "prompts": sorted({o.prompt for o in origins if o.prompt}),
        "policy": sorted({o.policy for o in origins if o.policy}),
        "request_ids": sorted({i for o in origins for i in o.request_ids}),
        "transcript_sha256": digest(transcript),
        "coverage_s": round(transcript.segments[-1].end, 2) if transcript.segments else 0.0,
    }
    if error is not None:
        meta["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
    return meta


def digest(transcript: Transcript) -> str:
    """Identity of what was said and by whom: SHA-256 over the segments."""
    said = "\n".join(f"{s.id}\t{s.speaker}\t{s.text}" for s in transcript.segments)
    return hashlib.sha256(said.encode()).hexdigest()


# ── after edits ─────────────────────────────────────────────────────────────────────────────────────────────────────


def recheck(minutes: Minutes, transcript: Transcript) -> Minutes:
    """The same items verified anew against the transcript as it is now, by code alone.

    Verdicts that only the first run could reach (who accepted, which date was ambiguous) stay.
    """
    language = "en" if str(minutes.meta.get("language", "ja")) == "en" else "ja"
    checked = minutes.model_copy(deep=True)
    people = People.of([*checked.meeting.participants, *transcript.speakers.values()])
    for item, text in _texts(checked):
        kept = [r for r in item.check.reasons if not any(pattern(c, language).fullmatch(r) for c in _CHECKED_BY_CODE)]
        found = [sentence(r, language) for r in _verdict(item, text, transcript, checked, people)]
        reasons = list(dict.fromkeys([*kept, *found]))
        item.check = Check(status="needs_review" if reasons else "supported", reasons=reasons)
    return checked


def _texts(minutes: Minutes) -> list[tuple[Item, str]]:
    statements: list[Statement] = [*minutes.decisions, *minutes.open_questions, *minutes.dissent]
    statements += [minutes.next_meeting] if minutes.next_meeting else []
    statements += [p for t in minutes.topics for p in t.points]
    return [(s, s.text) for s in statements] + [(a, a.task) for a in minutes.actions]


def _verdict(item: Item, text: str, transcript: Transcript, minutes: Minutes, people: People) -> list[Reason]:
    segments = {s.id: s for s in transcript.segments}
    reasons = [Reason("unknown_segment", i) for i in item.evidence if i not in segments]
    cited = [segments[i] for i in item.evidence if i in segments]
    speakers = {s.speaker for s in cited}
    found = verify(text, [s.text for s in cited], base=meeting_date(minutes.meeting), people=people)
    reasons += [r for r in found if not (r.code == "name" and r.first in speakers)]
    if any(s.confidence is not None and s.confidence < UNSURE and "edited" not in s.marks for s in cited):
        reasons.append(Reason("unclear_speech"))
    return reasons


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def save_transcript(transcript: Transcript, out: Path, request: Request) -> None:
    """``transcript.json`` and ``.srt``: written before the minutes are made, so that they are there if that fails."""
    from apps.minutes.export_srt import to_srt

    _write(out / "transcript.json", transcript.model_dump_json(indent=2))
    _write(out / "transcript.srt", to_srt(transcript))


def write_documents(result: MinutesResult, out: Path) -> list[Path]:
    """``minutes.json``, ``.md`` and ``.docx``; gives all five files of a run."""
    from apps.minutes.documents import to_markdown, write_word

    language: Literal["ja", "en"] = "en" if result.minutes.meta.get("language") == "en" else "ja"
    _write(out / "minutes.json", result.minutes.model_dump_json(indent=2))
    _write(out / "minutes.md", to_markdown(result.minutes, result.transcript, language))
    write_word(result.minutes, result.transcript, out / "minutes.docx", language)
    names = ("minutes.docx", "minutes.md", "minutes.json", "transcript.json", "transcript.srt")
    return [out / n for n in names]


def _write(path: Path, text: str) -> None:
    """By rename, so that a full disk or a kill never leaves half a file."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise KakehashiError(
            f"'{path.name}' cannot be written: {error.strerror}.",
            hint="Check the free space and rights.",
            code="disk_full",
        ) from error


def _share(progress: Progress, start: float, end: float) -> Progress:
    """A progress of a part as progress of the whole."""

    def report(stage: str, fraction: float, *, eta_s: float | None = None, detail: str = "") -> None:
        progress(stage, start + (end - start) * min(1.0, max(0.0, fraction)), eta_s=eta_s, detail=detail)

    return report


__all__ = ["Cancelled", "MinutesResult", "Request", "make_minutes", "recheck", "run", "write_documents"]
