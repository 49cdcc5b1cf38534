"""``kakehashi guard``: run the guardrails on texts from the command line, test a policy."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

import click

from gateway.guardrails.policy import Policy, load_policy, read_policy
from gateway.guardrails.types import Guardrails, Source
from kakehashi.errors import UsageError

_SOURCES = get_args(Source)
_policy_option = click.option(
    "--policy",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Policy file; default: the bundled one.",
)


@click.group(help="Run the guardrails on texts; test a policy.")
def guard() -> None:
    pass


def parse_line(line: str) -> tuple[str, Source]:
    """Text and source of one input line. Raises UsageError that says what is wrong."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"not valid JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise UsageError('must be an object with a string "text"')
    source: Source = row.get("source") or "user"
    if source not in _SOURCES:
        raise UsageError(f'"source" must be one of {", ".join(_SOURCES)}, not {source!r}')
    return str(row["text"]), source


@guard.command(help="Read JSON lines {text, source} on stdin, answer one line each.")
@click.option("--profile", help="Profile of the policy; default: the policy's own.")
@_policy_option
def scan(profile: str | None, policy: Path | None) -> None:
    guardrails = load_policy(policy)
    guardrails.scan("", profile=profile)  # an unknown profile is told before the first line
    failed = False
    for number, raw in enumerate(sys.stdin.buffer, 1):
        if not raw.strip():
            continue
        reply, problem = _reply(guardrails, raw, profile)
        if problem:
            failed = True
            click.echo(f"kakehashi: line {number}: {problem}", err=True)
        sys.stdout.buffer.write(json.dumps(reply, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.buffer.flush()
    if failed:
        sys.exit(2)


def _reply(guardrails: Guardrails, raw: bytes, profile: str | None) -> tuple[dict[str, Any], str]:
    """The answer to one line, and the problem if it could not be read."""
    try:
        text, source = parse_line(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return {"error": f"not UTF-8: {error}"}, f"not UTF-8: {error}"
    except UsageError as error:
        return {"error": error.message}, error.message
    return guardrails.scan(text, source=source, profile=profile).answer(), ""


@guard.command(help="Run the cases that a policy file holds about itself.")
@_policy_option
def test(policy: Path | None) -> None:
    checked = read_policy(policy)
    failures = case_failures(checked, load_policy(policy))
    for failure in failures:
        click.echo(failure, err=True)
    click.echo(f"{checked.ref}: {len(checked.cases) - len(failures)} of {len(checked.cases)} cases pass")
    if failures:
        sys.exit(1)


def case_failures(policy: Policy, guardrails: Guardrails) -> list[str]:
    """One line for each case of the policy that does not come out as it says."""
    failures = []
    for number, case in enumerate(policy.cases, 1):
        verdict = guardrails.scan(case.text, source=case.source, profile=case.profile)
        types = sorted({f.type for f in verdict.findings if not f.shadow})
        wrong = verdict.action != case.action or (case.types is not None and types != sorted(set(case.types)))
        if wrong:
            wanted = f"{case.action} {sorted(set(case.types))}" if case.types is not None else case.action
            failures.append(
                f"case {number} ({case.profile}): wanted {wanted}, got {verdict.action} {types}: {case.text!r}"
            )
    return failures
