"""``python -m bench.gateway.sdk --checkout DIR --upstream URL``: openai-python's own tests, straight and through us.

``DIR`` is a checkout of openai-python (not part of this repository). Its tests of the surfaces we serve run twice, against
the engine itself and through the gateway with guardrails and audit on, from a copy in which only the model's name and the
key are replaced. They check types, not sense. What passes straight must pass through the gateway; the lists say what not.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

import click

from bench.gateway.__main__ import start_gateway

SURFACES = (
    "chat/test_completions.py",
    "test_completions.py",
    "test_responses.py",
    "test_embeddings.py",
    "test_models.py",
    "test_moderations.py",
)
# Not the addresses of stored answers, which neither vLLM as we run it nor the gateway has; and no aiohttp adapter.
_CHOSEN = "not aiohttp and (create or (models and (list or retrieve)))"
_INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = session\n"
Outcomes = dict[str, str]  # test → "passed", or the first line of why not


@click.command()
@click.option("--checkout", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--upstream", required=True, help="Base URL (…/v1) of a running engine; a short context keeps it quick.")
def main(checkout: Path, upstream: str) -> None:
    """Run both sides and print the lists."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gateway = start_gateway(stack, place / "home", upstream)
        model = _model(upstream)
        sides: dict[str, Outcomes] = {}
        for name, url, key in (("straight", upstream, "none"), ("gateway", gateway.url, gateway.key)):
            copy = _copied(checkout, place / name, model, key)
            sides[name] = _run(copy, url)
    _report(sides["straight"], sides["gateway"])


def _model(upstream: str) -> str:
    with urllib.request.urlopen(f"{upstream}/models", timeout=10) as answer:
        name: str = json.load(answer)["data"][0]["id"]
    return name


def _copied(checkout: Path, target: Path, model: str, key: str) -> Path:
    """The checkout's tests with this model and key in place of their own."""
    shutil.copytree(checkout / "tests", target / "tests")
    (target / "pytest.ini").write_text(_INI)
    conftest = target / "tests" / "conftest.py"
    conftest.write_text(conftest.read_text().replace('api_key = "My API Key"', f"api_key = {key!r}"))
    for name in SURFACES:
        path = target / "tests" / "api_resources" / name
        if path.exists():
            path.write_text(re.sub(r'\bmodel="[^"]*"', f"model={model!r}", path.read_text()))
            path.write_text(re.sub(r'"gpt-[^"]*"', repr(model), path.read_text()))
    return target


def _run(copy: Path, url: str) -> Outcomes:
    files = [f"tests/api_resources/{name}" for name in SURFACES if (copy / "tests/api_resources" / name).exists()]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", _CHOSEN, "--junitxml=out.xml"]
    done = subprocess.run(
        [*command, *files], cwd=copy, env=_environment(url), capture_output=True, text=True, check=False
    )
    report = copy / "out.xml"
    if not report.exists():
        raise click.ClickException(f"The tests did not run:\n{(done.stdout + done.stderr)[-3000:]}")
    return _outcomes(report)


def _environment(url: str) -> Mapping[str, str]:
    return {**os.environ, "TEST_API_BASE_URL": url, "PYTHONPATH": "."}


def _outcomes(report: Path) -> Outcomes:
    found: Outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        name = f"{case.get('classname', '').removeprefix('tests.api_resources.')}::{case.get('name')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if case.find("skipped") is None:
            found[name] = "passed" if bad is None else (bad.get("message") or "failed").splitlines()[0][:160]
    return found


def _report(straight: Outcomes, gateway: Outcomes) -> None:
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


if __name__ == "__main__":
    main()
