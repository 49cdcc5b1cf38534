"""``kakehashi demo``: the main job on bundled input, without a browser.

Recording → transcript → minutes; brief → deck with previews; then the audit records that these left. It calls the same
commands a user would, against the running system, or starts the system for the time of the demo.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from kakehashi.errors import KakehashiError, UpstreamError
from kakehashi.paths import CHECKOUT, home

DEMO = CHECKOUT / "demo"


@dataclass(frozen=True)
class Step:
    """One command of the demo and the files it must leave behind."""

    name: str
    arguments: list[str]
    out: Path
    files: tuple[str, ...]


def steps(out: Path) -> list[Step]:
    """The two jobs. The recording's extension and the evidence are what lies in ``demo/``."""
    recording = next(p for p in sorted(DEMO.glob("meeting_ja.*")) if p.suffix in {".ogg", ".m4a", ".mp3", ".wav"})
    reference = json.loads((DEMO / "meeting_ja.reference.json").read_text())
    people = ",".join(reference.get("participants", []))
    glossary = DEMO / "glossary_ja.txt"
    minutes = ["minutes", "run", str(recording), "--date", reference["date"], "--out", str(out / "minutes")]
    minutes += ["--participants", people] if people else []
    minutes += ["--glossary", str(glossary)] if glossary.exists() else []
    deck = ["proposals", "run", str(DEMO / "brief_ja.yaml"), "--out", str(out / "deck")]
    for evidence in sorted((DEMO / "evidence").glob("*")):
        deck += ["--evidence", str(evidence)]
    return [
        Step(
            "minutes",
            minutes,
            out / "minutes",
            ("minutes.docx", "minutes.md", "minutes.json", "transcript.json", "transcript.srt"),
        ),
        Step("proposal", deck, out / "deck", ("deck.pptx", "deck.json", "report.json")),
    ]


def kakehashi(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would."""
    command = [sys.executable, "-m", "kakehashi", *arguments]
    return subprocess.run(command, check=False, text=True, capture_output=capture)


def request_ids(value: Any) -> set[str]:
    """Every gateway request id that an output names, wherever it stands."""
    if isinstance(value, dict):
        found = {i for key, item in value.items() if key == "request_ids" for i in item}
        return found.union(*(request_ids(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(request_ids(item) for item in value))
    return set()


def running() -> bool:
    """Whether engine and gateway of this home are up."""
    answer = kakehashi("status", "--json", capture=True)
    if answer.returncode:
        raise UpstreamError(answer.stderr.strip() or "`kakehashi status` failed")
    states = {c["name"]: c["state"] for c in json.loads(answer.stdout)["components"]}
    return states["engine"] in {"running", "external"} and states["gateway"] == "running"


def run(step: Step) -> tuple[float, list[Path]]:
    """Run one step; give its seconds and the files it left. Raises when it fails or a file is missing."""
    began = time.monotonic()
    done = kakehashi(*step.arguments)
    seconds = time.monotonic() - began
    if done.returncode:
        raise UpstreamError(f"The {step.name} step ended with exit code {done.returncode}.")
    missing = [name for name in step.files if not (step.out / name).is_file() or not (step.out / name).stat().st_size]
    if missing:
        raise KakehashiError(f"The {step.name} step left no {', '.join(missing)}.")
    return seconds, sorted(
        p for p in step.out.rglob("*") if p.is_file() and "work" not in p.relative_to(step.out).parts
    )


def audit_records(since: str, wanted: set[str]) -> list[dict[str, Any]]:
    """The audit records of the given requests, after checking that the chains verify."""
    if kakehashi("audit", "verify").returncode:
        raise KakehashiError("The audit log does not verify.")
    exported = kakehashi("audit", "export", "--since", since, capture=True).stdout
    return [r for r in map(json.loads, exported.splitlines()) if r["request_id"] in wanted]


def timings(meta: dict[str, Any]) -> str:
    """``stage 1.2 s, stage 3.4 s`` from an output's metadata."""
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in (meta.get("timings_s") or {}).items())


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Where the results go [default: var/demo].")
def demo(out: Path | None) -> None:
    """The main job on bundled input: a recording becomes minutes, a brief becomes a deck. No browser needed."""
    out = out or home().root / "demo"
    began = datetime.now(UTC).isoformat()
    started_here = not running()
    if started_here and kakehashi("up", "--detach").returncode:
        raise UpstreamError("The system did not start.", hint="See `kakehashi logs`.")
    try:
        _run_all(out, began)
    finally:
        if started_here:
            kakehashi("down")


def _run_all(out: Path, began: str) -> None:
    console = Console(width=110)
    table = Table("step", "seconds", "what it left", title="Kakehashi demo")
    used: set[str] = set()
    for step in steps(out):
        seconds, files = run(step)
        name = "minutes.json" if step.name == "minutes" else "report.json"
        meta = json.loads((step.out / name).read_text())["meta"]
        used |= set().union(*(request_ids(json.loads(p.read_text())) for p in step.out.glob("*.json")))
        table.add_row(step.name, f"{seconds:.1f}", "\n".join(str(p) for p in files))
        table.add_row("", "", timings(meta), end_section=True)
    records = audit_records(began, used)
    answered = [r for r in records if r["kind"] == "outcome"]
    tokens = sum(r["prompt_tokens"] + r["completion_tokens"] for r in answered)
    table.add_row("audit", "", f"{len(records)} records of {len(used)} requests, {tokens} tokens; all chains verify")
    console.print(table)
    for record in answered[:3]:
        console.print_json(json.dumps(record, ensure_ascii=False))
    if not answered:
        raise KakehashiError("The outputs name no gateway request that the audit log knows.")
