"""``kakehashi minutes``: a recording (or a transcript) becomes minutes, without a browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal, TypeVar

import click
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from apps.common.client import GatewayClient, read_key
from apps.common.japanese.dates import parse_date
from apps.minutes import pipeline
from apps.minutes.importers import SUFFIXES, read_transcript
from apps.minutes.messages import localise
from apps.minutes.model import Meeting, Minutes, Transcript
from kakehashi import settings as configuration
from kakehashi.errors import BadInput, Cancelled, KakehashiError, NotReady, UsageError
from kakehashi.settings import Settings

T = TypeVar("T", bound=BaseModel)
STAGES = {
    "decode": ("音声を読み込み中", "Reading the audio"),
    "vad": ("発話を検出中", "Finding speech"),
    "speech": ("文字起こし中", "Transcribing"),
    "speakers": ("話者を判別中", "Telling speakers apart"),
    "rules": ("要点を抽出中", "Extracting"),
    "minutes": ("議事録を作成中", "Writing the minutes"),
    "documents": ("文書を出力中", "Writing the documents"),
    "done": ("完了", "Done"),
}


@click.group()
def minutes() -> None:
    """Recording → transcript → minutes."""


@minutes.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--participants", multiple=True, help="Names, comma-separated; may be given several times.")
@click.option("--date", "day", default=None, help="Day of the meeting: 2026-11-23, 令和8年11月23日.")
@click.option("--title", default=None, help="Title of the meeting [default: the file's name].")
@click.option("--glossary", type=click.Path(path_type=Path), default=None, help="Terms, one per line.")
@click.option("--language", type=click.Choice(["auto", "ja", "en"]), default="auto", help="Language spoken.")
@click.option("--minutes-language", type=click.Choice(["ja", "en"]), default=None, help="Language of the minutes.")
@click.option("--speakers", type=click.IntRange(1, 20), default=None, help="Number of speakers, if known.")
@click.option("--transcript", type=click.Path(path_type=Path), default=None, help="A transcript instead of audio.")
@click.option("--gateway", default=None, help="Base URL of the gateway (…/v1).")
@click.option("--key-file", type=click.Path(path_type=Path), default=None, help="File with the virtual key.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the results.")
def run(
    file: Path | None,
    participants: tuple[str, ...],
    day: str | None,
    title: str | None,
    glossary: Path | None,
    language: str,
    minutes_language: str | None,
    speakers: int | None,
    transcript: Path | None,
    gateway: str | None,
    key_file: Path | None,
    out: Path,
) -> None:
    """Make minutes of FILE, a recording or a transcript (.vtt .srt .txt .md .json). Writes minutes.docx, minutes.md, minutes.json, transcript.json and transcript.srt.

    A second run with the same --out goes on where the first one stopped.
    """
    if file is not None and transcript is None and file.suffix.lower() in SUFFIXES:
        file, transcript = None, file  # a text is a transcript, whatever it was given as
    source = transcript or file
    if source is None or (file is not None and transcript is not None):
        raise UsageError(
            "Give one recording, or --transcript with a transcript.", hint="kakehashi minutes run FILE --out DIR"
        )
    names = [n.strip() for p in participants for n in p.replace("、", ",").replace("，", ",").split(",") if n.strip()]
    request = pipeline.Request(
        Meeting(title=title or source.stem, date=_iso(day), participants=names),
        _terms(glossary),
        language,
        minutes_language,
        speakers or (len(names) if len(names) > 1 else None),
    )
    loaded = configuration.load()
    imported = read_transcript(transcript) if transcript else None
    try:
        _run(file, out, request, loaded, gateway, key_file, imported)
    except KakehashiError as error:  # in the user's language, with the same exit code
        message, hint = localise(error, request.output or loaded.language)
        raise type(error)(message, hint=hint, code=error.code, values=error.values) from error


@minutes.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(["vtt", "csv", "ics"]),
    required=True,
    help="vtt: subtitles; csv, ics: the tasks.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=None, help="File [default: beside the minutes]."
)
def export(folder: Path, form: str, out: Path | None) -> None:
    """Subtitles, or the tasks for a spreadsheet or calendar, from the FOLDER of an earlier `minutes run`."""
    from apps.minutes.exports import to_csv, to_ics, to_vtt

    made = _written(folder / "minutes.json", Minutes)
    spoken = _written(folder / "transcript.json", Transcript)
    language: Literal["ja", "en"] = "en" if str(made.meta.get("language", "ja")) == "en" else "ja"
    data = {
        "vtt": lambda: to_vtt(spoken).encode(),
        "csv": lambda: to_csv(made, spoken, language),
        "ics": lambda: to_ics(made, language).encode(),
    }[form]()
    target = out or folder / {"vtt": "transcript.vtt", "csv": "todo.csv", "ics": "todo.ics"}[form]
    try:
        target.write_bytes(data)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}.", hint="Choose another file with --out."
        ) from error
    click.echo(target)


def _written(path: Path, model: type[T]) -> T:
    """A result of an earlier run. Raises BadInput when it is not there or cannot be read."""
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(
            f"There is no {path.name} in {path.parent}.", hint="Run `kakehashi minutes run … --out FOLDER` first."
        ) from None
    except (ValidationError, OSError) as error:
        raise BadInput(
            f"{path} cannot be read as {path.stem}: {type(error).__name__}.", hint="Run `kakehashi minutes run` again."
        ) from error


def _run(
    audio: Path | None,
    out: Path,
    request: pipeline.Request,
    loaded: Settings,
    gateway: str | None,
    key_file: Path | None,
    transcript: Transcript | None,
) -> None:
    client, no_client = _client(loaded, gateway, key_file, out.name)
    ja = (request.output or loaded.language) == "ja"
    try:
        with Screen(ja) as screen:
            result = pipeline.run(
                audio,
                out=out,
                work=out / "work",
                request=request,
                settings=loaded,
                client=client or Unreachable(no_client),
                progress=screen.report,
                transcript=transcript,
            )
    except (KeyboardInterrupt, Cancelled):
        _say(
            ja,
            f"中断しました。同じコマンドで続きから再開できます（{out}）。",
            f"Stopped. The same command resumes ({out}).",
        )
        sys.exit(Cancelled.exit_code)
    _report(result, ja)


def _report(result: pipeline.MinutesResult, ja: bool) -> None:
    made = result.minutes
    for path in result.files:
        click.echo(str(path))
    review = sum(i.check.status == "needs_review" for i in [*made.decisions, *made.actions, *made.open_questions])
    _say(
        ja,
        f"決定事項 {len(made.decisions)} 件、ToDo {len(made.actions)} 件、継続検討 {len(made.open_questions)} 件（要確認 {review} 件）",
        f"{len(made.decisions)} decisions, {len(made.actions)} actions, {len(made.open_questions)} open questions"
        f" ({review} need review)",
    )
    if result.error is not None:
        _say(
            ja,
            "モデルによる整文は行えませんでした。文字起こしと規則による議事録は保存しました。同じコマンドで残りだけやり直せます。",
            "The model's part is missing. Transcript and rule-based minutes are saved; the same command adds the rest.",
        )
        raise result.error


class Unreachable:
    """Stands for a gateway that cannot be asked: every question fails with the reason."""

    parallel = 8

    def __init__(self, error: KakehashiError | None) -> None:
        self.error = error or NotReady("The gateway cannot be reached.", code="gateway_down")

    def ask_many(self, questions):  # type: ignore[no-untyped-def]
        return [self.error] * len(questions)


def _client(
    loaded: Settings, gateway: str | None, key_file: Path | None, job: str
) -> tuple[GatewayClient | None, KakehashiError | None]:
    """The gateway client; without a key None and the reason, so that transcript and rules still run."""
    own = loaded.minutes
    key = os.environ.get("KAKEHASHI_KEY", "")
    if key_file is not None:
        key = read_key(key_file)
    elif not key:
        try:
            key = read_key(own.key_file or loaded.home.secrets / "minutes.key")
        except NotReady as error:
            return None, error
    client = GatewayClient(
        gateway or loaded.gateway_base_url(own),
        key,
        model=own.model,
        app="minutes",
        job=job,
        timeout_s=own.request_timeout_s,
        parallel=own.parallel,
    )
    return client, None


def _iso(day: str | None) -> str | None:
    if day is None:
        return None
    found = parse_date(day)
    if found is None:
        raise UsageError(f"--date: '{day}' is not a complete date.", hint="For example 2026-11-23 or 令和8年11月23日.")
    return found.isoformat()


def _terms(path: Path | None) -> list[str]:
    if path is None:
        return []
    if not path.is_file():
        raise BadInput(f"The glossary '{path}' does not exist.", hint="Check the path.", code="glossary_missing")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"The glossary '{path.name}' is not UTF-8 text.", hint="Save it as UTF-8.", code="glossary_not_text"
        ) from error
    lines = (line.split("\t")[0].split(",")[0].strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))


def _say(ja: bool, japanese: str, english: str) -> None:
    click.echo(japanese if ja else english, err=True)


class Screen:
    """Progress: a bar with stage and time left on a terminal, one line per stage elsewhere."""

    def __init__(self, ja: bool) -> None:
        self.ja = ja
        self.console = Console(stderr=True)
        self.stage = ""
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Screen:
        self.bar.start()
        self.task = self.bar.add_task("", total=1.0, left="")
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def report(self, stage: str, fraction: float, *, eta_s: float | None = None, detail: str = "") -> None:
        """A :class:`apps.common.progress.Progress`."""
        name = STAGES.get(stage, (stage, stage))[0 if self.ja else 1]
        left = "" if eta_s is None else (f"残り約 {eta_s:.0f} 秒" if self.ja else f"about {eta_s:.0f} s left")
        self.bar.update(self.task, completed=fraction, description=f"{name} {detail}".strip(), left=left)
        if stage != self.stage and not self.console.is_terminal:
            click.echo(f"{fraction:4.0%} {name}", err=True)
        self.stage = stage
