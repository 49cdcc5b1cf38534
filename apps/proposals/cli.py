"""``kakehashi proposals``: brief → sales deck, on the command line. A thin shell over the pipeline."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import click

from apps.proposals import connect, pipeline
from apps.proposals.language import Language, pick
from apps.proposals.model import Finding
from apps.proposals.pipeline import Request
from kakehashi import settings
from kakehashi.errors import KakehashiError

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group(help="Brief → sales deck: plan, run, check a template.")
def proposals() -> None:
    pass


class TerminalProgress:
    """Stage and share on a terminal's last line; nothing when the output is not a terminal."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()

    def __call__(self, stage: str, fraction: float, *, eta_s: float | None = None, detail: str = "") -> None:
        if self.shown:
            click.echo(f"\r\033[K{fraction:4.0%} {stage} {detail}", nl=False, err=True)

    def close(self) -> None:
        if self.shown:
            click.echo("\r\033[K", nl=False, err=True)


@proposals.command(help="Write deck.pptx, deck.json, report.json and preview/*.png from a brief (.yaml, .md, .txt).")
@click.argument("brief", type=_FILE)
@click.option(
    "--evidence",
    multiple=True,
    type=click.Path(path_type=Path),
    help="attachment or folder (txt md pdf docx xlsx csv minutes.json); may be repeated",
)
@click.option("--template", type=_FILE, help="a .pptx or .potx to use instead of the default one")
@click.option("--language", type=click.Choice(["ja", "en"]), help="language of the deck; by default that of the brief")
@click.option("--slides", type=int, help="number of slides (3 to 40)")
@click.option("--gateway", help="base URL of the gateway (…/v1)")
@click.option("--key-file", type=_FILE, help="file with the virtual key")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="folder for the results")
def run(
    brief: Path,
    evidence: tuple[Path, ...],
    template: Path | None,
    language: Language | None,
    slides: int | None,
    gateway: str | None,
    key_file: Path | None,
    out: Path,
) -> None:
    loaded = settings.load()
    started = time.monotonic()
    models, missing = connect.models(loaded, gateway=gateway, key_file=key_file)
    progress = TerminalProgress()
    request = Request(brief, evidence, language, slides, loaded.proposals.max_attachment_mib, loaded.language)
    outcome = pipeline.run(request, models, out, template=template, progress=progress)
    progress.close()
    _summary(outcome, out, time.monotonic() - started, loaded.language)
    error = outcome.draft.error or missing
    if error:
        raise _unfinished(error, loaded.language)
    shutil.rmtree(out / ".work", ignore_errors=True)


def _unfinished(error: KakehashiError, say: Language) -> KakehashiError:
    """The files are complete, but made without the model or the check: the exit code says so."""
    message = pick(
        say,
        f"資料は作成しましたが、モデルまたは表現の確認を使えませんでした。{error.message}",
        f"The deck was made, but without the model or the wording check. {error.message}",
    )
    return type(error)(message, hint=error.hint, code=error.code)


def _summary(outcome: pipeline.Outcome, out: Path, seconds: float, say: Language) -> None:
    for path in outcome.files:
        click.echo(str(path))
    for finding in _important(outcome.draft.report.findings):
        click.echo(f"  [{finding.severity}] {finding.slide + ': ' if finding.slide else ''}{finding.message}", err=True)
    if outcome.preview_missing:
        click.echo(f"  {outcome.preview_missing}", err=True)
    numbers = outcome.draft.report.numbers
    traced = sum(n.status != "untraced" for n in numbers)
    pages = len(outcome.draft.deck.slides)
    click.echo(
        pick(
            say,
            f"{pages}枚、数値 {traced}/{len(numbers)} 件の根拠あり、{seconds:.1f}秒",
            f"{pages} slides, {traced}/{len(numbers)} figures with a source, {seconds:.1f} s",
        )
    )


def _important(findings: list[Finding]) -> list[Finding]:
    return [f for f in findings if f.severity in ("stop", "warn") and f.status == "open"][:20]


@proposals.command(help="Print the storyline: which slides, and the message of each.")
@click.argument("brief", type=_FILE)
@click.option("--evidence", multiple=True, type=click.Path(path_type=Path))
@click.option("--language", type=click.Choice(["ja", "en"]))
@click.option("--slides", type=int)
@click.option("--gateway")
@click.option("--key-file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="as JSON, to be edited and used again")
def plan(
    brief: Path,
    evidence: tuple[Path, ...],
    language: Language | None,
    slides: int | None,
    gateway: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    import tempfile

    loaded = settings.load()
    models, _ = connect.models(loaded, gateway=gateway, key_file=key_file)
    request = Request(brief, evidence, language, slides, loaded.proposals.max_attachment_mib, loaded.language)
    with tempfile.TemporaryDirectory() as work:
        planned = pipeline.plan(request, models, work=Path(work))
    if as_json:
        click.echo(json.dumps(planned.storyline.model_dump(), ensure_ascii=False, indent=1))
        return
    for number, point in enumerate(planned.storyline.points, 1):
        click.echo(f"{number:2d}. [{point.kind}] {point.message}")
    for finding in _important(planned.findings):
        click.echo(f"  [{finding.severity}] {finding.message}", err=True)


@proposals.command(
    "check-template", help="What a template offers, which layout each slide kind gets, and what is missing."
)
@click.argument("file", type=_FILE)
@click.option("--mapping", type=_FILE, help="a mapping file that overrides the choice of layouts")
@click.option("--json", "as_json", is_flag=True, help="the whole report as JSON")
def check_template_command(file: Path, mapping: Path | None, as_json: bool) -> None:
    from apps.proposals.render import check_template
    from apps.proposals.render.report_text import report_lines

    language = settings.load().language
    report = check_template(file, mapping=mapping, language=language)
    if as_json:
        click.echo(report.model_dump_json(indent=1))
    else:
        for line in report_lines(report, language):
            click.echo(line)
    if not report.ok:
        sys.exit(1)
