"""OpenAI's audio API over one Whisper: recordings wait in a short queue, each in its turn, and end with their client."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
from starlette.applications import Starlette
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from kakehashi.errors import BadInput, KakehashiError, NotReady
from kakehashi.paths import Home
from kakehashi.settings import SpeechSettings
from serving.speech.ear import Ear, Segment, Task, Wish
from serving.speech.sound import RATE, decode

_LOG = logging.getLogger("serving.speech")
RETRY_AFTER_S = 15
_TASKS: dict[str, Task] = {"transcriptions": "transcribe", "translations": "translate"}
_EMBEDDED = "embedded:"


class Full(Exception):
    """No room in the queue."""


class Gone(Exception):
    """The client has left."""


@dataclass
class Job:
    """One recording on its way. ``heard``: segments, then None; or what went wrong."""

    file: IO[bytes]
    wish: Wish
    heard: asyncio.Queue[Segment | Exception | None] = field(default_factory=asyncio.Queue)
    stop: threading.Event = field(default_factory=threading.Event)
    language: str = ""
    seconds: float = 0.0


class Worker:
    """One thread that hears, and room for ``settings.waiting`` who wait."""

    def __init__(self, ear: Ear, settings: SpeechSettings) -> None:
        self.ear, self._settings = ear, settings
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hearing")
        self._jobs = 0

    def check_room(self) -> None:
        """Raises Full."""
        if self._jobs > self._settings.waiting:
            raise Full

    async def hear(self, request: Request, job: Job) -> AsyncGenerator[Segment, None]:
        """The segments as they are recognised. Raises Full, Gone, KakehashiError. The file is closed at the end."""
        self.check_room()
        self._jobs += 1
        loop = asyncio.get_running_loop()

        def tell(item: Segment | Exception | None) -> None:
            loop.call_soon_threadsafe(job.heard.put_nowait, item)

        work = self._thread.submit(self._work, job, tell)
        work.add_done_callback(lambda _: job.file.close())
        watch = asyncio.create_task(_watch(request, job))
        try:
            while (item := await job.heard.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            watch.cancel()
            job.stop.set()
            work.cancel()
            self._release(work, loop)

    def _release(self, work: Future[None], loop: asyncio.AbstractEventLoop) -> None:
        """The place is free when the thread is, which may be a moment after the client has gone."""

        def free() -> None:
            self._jobs -= 1

        work.add_done_callback(lambda _: loop.call_soon_threadsafe(free))

    def _work(self, job: Job, tell: Callable[[Segment | Exception | None], None]) -> None:
        """In the thread: decode, recognise, tell each segment; stop soon when nobody listens any more."""
        try:
            samples = decode(job.file, self._settings.max_minutes, job.stop.is_set)
            job.seconds = samples.size / RATE
            if not job.stop.is_set():
                job.language, segments = self.ear.listen(samples, job.wish)
                for segment in segments:
                    tell(segment)
                    if job.stop.is_set():
                        break
            tell(None)
        except KakehashiError as error:
            tell(error)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: told to the client's task, which logs it
            tell(error)


async def _watch(request: Request, job: Job) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    job.heard.put_nowait(Gone())


def application(settings: SpeechSettings, home: Home) -> Starlette:
    """The app. The model is loaded with the first recording, so that starting costs next to nothing."""
    name = settings.model.removeprefix(_EMBEDDED)
    embedded = settings.model.startswith(_EMBEDDED)
    folder = home.models / name if embedded else Path(settings.model).expanduser()
    worker = Worker(Ear(folder, settings.threads), settings)
    model = {"id": folder.name, "object": "model", "created": 0, "owned_by": "kakehashi"}

    async def health(_: Request) -> Response:
        return _json({"status": "ok", "loaded": worker.ear.loaded})

    async def models(_: Request) -> Response:
        # whisper-1: what clients of OpenAI's ask for by habit.
        return _json({"object": "list", "data": [model, {**model, "id": "whisper-1"}]})

    async def audio(request: Request) -> Response:
        return await _answer(request, worker, folder.name)

    routes = [
        Route("/health", health),
        Route("/v1/models", models),
        *(Route(f"/v1/audio/{path}", audio, methods=["POST"]) for path in _TASKS),
    ]
    return Starlette(routes=routes)


async def _answer(request: Request, worker: Worker, model: str) -> Response:
    form: FormData | None = None
    try:
        worker.check_room()
        form = await request.form(max_files=1, max_fields=32)
        job = _job(form, _TASKS[request.url.path.rpartition("/")[2]])
        if form.get("stream") == "true":
            return await _streamed(request, worker, job)
        segments = [segment async for segment in worker.hear(request, job)]
        return _json(_whole(job, segments, model, detailed=form.get("response_format") == "verbose_json"))
    except Full:
        headers = {"retry-after": str(RETRY_AFTER_S)}
        return _error(503, "Too many recordings are waiting; come back later.", "speech_busy", headers)
    except Gone:
        return Response(status_code=499)
    except BadInput as error:
        return _error(400, error.message, error.code)
    except NotReady as error:
        return _error(503, f"{error.message} {error.hint or ''}".strip(), error.code)
    except HTTPException as error:  # a form that is none
        return _error(error.status_code, str(error.detail), "invalid_form")


def _job(form: FormData, task: Task) -> Job:
    """What is asked. Raises BadInput. Whatever goes wrong later, the job's file is closed."""
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise BadInput("'file' is missing.", code="missing_required_parameter")
    asked = {name: value for name in ("language", "prompt", "temperature") if isinstance(value := form.get(name), str)}
    wants_words = "word" in form.getlist("timestamp_granularities[]") or form.get("response_format") == "verbose_json"
    try:
        temperature = float(asked["temperature"]) if asked.get("temperature") else None
    except ValueError:
        raise BadInput("'temperature' must be a number.") from None
    language = asked.get("language") or None
    return Job(upload.file, Wish(task, language, asked.get("prompt") or None, temperature, wants_words))


def _whole(job: Job, segments: list[Segment], model: str, *, detailed: bool) -> dict[str, Any]:
    text = "".join(segment.text for segment in segments).strip()
    seconds = round(job.seconds, 2)
    told: dict[str, Any] = {"text": text, "model": model, "usage": {"type": "duration", "seconds": seconds}}
    if not detailed:
        return told
    return {
        **told,
        "task": job.wish.task,
        "language": job.language,
        "duration": seconds,
        "segments": [
            {"id": number, "text": s.text, "start": s.start, "end": s.end, "tokens": [], **s.numbers}
            for number, s in enumerate(segments)
        ],
        "words": [{"word": w.text, "start": w.start, "end": w.end} for s in segments for w in s.words],
    }


async def _streamed(request: Request, worker: Worker, job: Job) -> Response:
    """Events as the segments come. What goes wrong before the first of them has a status of its own."""
    segments = worker.hear(request, job)
    first = await anext(segments, None)

    async def events() -> AsyncIterator[bytes]:
        text = first.text if first is not None else ""
        try:
            async with aclosing(segments):
                if first is not None:
                    yield _event({"type": "transcript.text.delta", "delta": first.text})
                async for segment in segments:
                    text += segment.text
                    yield _event({"type": "transcript.text.delta", "delta": segment.text})
        except KakehashiError as error:
            yield _event(_shape(error.message, error.code))
        except Gone:
            return
        else:
            usage = {"type": "duration", "seconds": round(job.seconds, 2)}
            yield _event({"type": "transcript.text.done", "text": text.strip(), "usage": usage})

    return StreamingResponse(events(), media_type="text/event-stream")


def _event(event: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"


def _json(value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _shape(message: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def _error(status: int, message: str, code: str, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(_shape(message, code)), status, headers, "application/json")


def serve(settings: SpeechSettings, home: Home) -> None:
    """Run the worker until SIGTERM or Ctrl-C."""
    import uvicorn

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    app = application(settings, home)
    _LOG.info("speech worker on %s:%d, model %s", settings.host, settings.port, settings.model)
    uvicorn.run(
        app, host=settings.host, port=settings.port, log_config=None, access_log=False, timeout_graceful_shutdown=5
    )
