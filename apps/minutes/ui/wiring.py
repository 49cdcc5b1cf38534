"""The minutes app put together once per process: its context, what it accepts, the audio of its meetings."""

from __future__ import annotations

from functools import lru_cache
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.common.jobs import JobFolder
from apps.common.ui import server
from apps.common.ui.audio import sound
from apps.common.ui.context import AppContext
from apps.common.ui.context import context as build
from apps.common.ui.transfer import owner_of
from apps.minutes.importers import read_transcript
from apps.minutes.messages import localise
from apps.minutes.speech.decode import RATE
from apps.minutes.speech.decode import check as check_audio
from apps.minutes.ui.store import TRANSCRIPT_TYPES
from kakehashi import settings
from kakehashi.errors import BadInput, KakehashiError

WORKER = "apps.minutes.ui.jobs"
AUDIO_TYPES = (".wav", ".mp3", ".m4a", ".mp4", ".webm", ".ogg", ".flac", ".aac", ".mov", ".mkv", "audio/*", "video/*")
TEXT_TYPES = (".txt", ".csv", ".md")
MAX_GLOSSARY_BYTES = 1 << 20


@lru_cache
def context() -> AppContext:
    return build("minutes", settings.load().minutes.max_upload_mib)


def read_glossary(path: Path) -> list[str]:
    """One term per line (or the first column of a table). Raises BadInput for anything but text."""
    if path.stat().st_size > MAX_GLOSSARY_BYTES:
        raise BadInput(f"'{path.name}' is too large.", code="glossary_too_large", values={"file": path.name})
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return glossary_terms(text)
    raise BadInput(f"'{path.name}' is not text.", code="glossary_not_text", values={"file": path.name})


def glossary_terms(text: str) -> list[str]:
    """Terms as typed or read: one per line; commas and tabs separate too; no doubles."""
    parts = text.replace("、", "\n").replace(",", "\n").replace("，", "\n").replace("\t", "\n").splitlines()
    return list(dict.fromkeys(p.strip() for p in parts if p.strip() and not p.strip().startswith("#")))


def is_transcript(path: Path) -> bool:
    """A meeting may also begin from a transcript of another tool; by its name, since text has no other mark."""
    return path.suffix.lower() in TRANSCRIPT_TYPES


def check_upload(path: Path, purpose: str, _language: str) -> None:
    """Raises BadInput when a complete upload is not what its place on the page is for."""
    if purpose == "glossary":
        read_glossary(path)
    elif is_transcript(path):
        read_transcript(path)
    else:
        check_audio(path, context().settings.minutes.max_hours)


async def audio(request: Request) -> Response:
    """The sound of a meeting, to its owner only; players ask for ranges of it."""
    ctx = context()
    try:
        folder = ctx.jobs.folder(request.path_params["id"], await owner_of(request, ctx.door))
    except KakehashiError:
        return Response(status_code=404)
    return meeting_sound(request, folder)


def meeting_sound(request: Request, folder: JobFolder) -> Response:
    """The decoded sound while it is kept (its times are the transcript's times exactly), else the recording itself."""
    decoded = next(iter(sorted(folder.work.rglob("*.pcm"))), None)
    if decoded is not None:
        return sound(request, decoded, "audio/wav", pcm_rate=RATE)
    recording = folder.root / folder.info().uploads[0].file
    return sound(request, recording, guess_type(recording.name)[0] or "application/octet-stream")


def parts() -> dict[str, Any]:
    route = Route("/api/jobs/{id}/audio", audio, methods=["GET", "HEAD"])
    return server.parts(context(), WORKER, check_upload, localise, [route])
