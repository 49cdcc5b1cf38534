"""Tests of others run twice, straight against an engine and through the gateway, and what each side passes.

What passes straight must pass through the gateway; the lists say what does not, and why.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import click

Outcomes = dict[str, str]  # test → "passed", or the first line of why not


def first_model(upstream: str) -> str:
    """The first model that an engine lists."""
    with urllib.request.urlopen(f"{upstream}/models", timeout=10) as answer:
        name: str = json.load(answer)["data"][0]["id"]
    return name


def run_pytest(place: Path, arguments: Sequence[str], environment: Mapping[str, str], prefix: str) -> Outcomes:
    """Run pytest in a folder; each test's outcome, its name without ``prefix``. Raises ClickException if it ran none."""
    report = place / "out.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [*command, *arguments], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    if not report.exists():
        raise click.ClickException(f"The tests did not run:\n{(done.stdout + done.stderr)[-3000:]}")
    return outcomes(report, prefix)


def outcomes(report: Path, prefix: str) -> Outcomes:
    """What a junit report says; skipped tests are left out."""
    found: Outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        name = f"{case.get('classname', '')}::{case.get('name')}".removeprefix(prefix)
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if case.find("skipped") is None:
            found[name] = "passed" if bad is None else (bad.get("message") or "failed").splitlines()[0][:160]
    return found


def tell(straight: Outcomes, gateway: Outcomes) -> None:
    """Print the lists of tests by where they pass."""
    for title, tests in (
        ("Passed on both sides", [t for t, o in straight.items() if o == gateway.get(t) == "passed"]),
        ("Passed through the gateway only", [t for t, o in gateway.items() if o == "passed" != straight.get(t)]),
        ("Passed straight only", [t for t, o in straight.items() if o == "passed" != gateway.get(t)]),
        ("Failed on both sides", [t for t, o in straight.items() if "passed" not in (o, gateway.get(t))]),
    ):
        click.echo(f"\n{title}: {len(tests)}")
        for test in sorted(tests):
            why = "" if straight.get(test) == gateway.get(test) == "passed" else f"  {gateway.get(test)}"
            click.echo(f"  {test}{why}")
