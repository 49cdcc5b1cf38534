"""``python -m bench.gateway.open_responses --checkout DIR --upstream URL``: the Open Responses compliance suite, twice.

``DIR`` is a checkout of openresponses/openresponses with its packages installed (``bun install``; not part of this
repository, and nothing is fetched here). Its tests run straight against the engine and through the gateway with
guardrails and audit on, by bun, or by node with ``tsx`` where there is no bun. They need a model that calls tools.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from bench.gateway.sides import Outcomes, first_model, tell
from bench.gateway.targets import start_gateway

_SCRIPT = "bin/compliance-test.ts"


@click.command()
@click.option("--checkout", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--upstream", required=True, help="Base URL (…/v1) of a running engine that serves /responses.")
@click.option("--model", help="Default: the first one that the engine lists.")
def main(checkout: Path, upstream: str, model: str | None) -> None:
    """Run both sides and print the lists."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "home"
        gateway = start_gateway(stack, home, upstream)
        model = model or first_model(upstream)
        straight = run(checkout, upstream, "none", model)
        through = run(checkout, gateway.url, gateway.headers["authorization"].removeprefix("Bearer "), model)
    tell(straight, through)


def run(checkout: Path, url: str, key: str, model: str) -> Outcomes:
    """The suite against one server. Raises ClickException if it cannot be run."""
    runner = ["bun", "run"] if shutil.which("bun") else ["npx", "--no-install", "tsx"]
    command = [*runner, _SCRIPT, "--base-url", url, "--api-key", key, "--model", model, "--json"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    try:
        results = json.loads(done.stdout)["results"]
    except (json.JSONDecodeError, KeyError):
        raise click.ClickException(f"The suite did not run:\n{(done.stdout + done.stderr)[-3000:]}") from None
    return {
        result["id"]: "passed" if result["status"] == "passed" else "; ".join(result.get("errors") or ["failed"])[:160]
        for result in results
        if result["status"] != "skipped"
    }


if __name__ == "__main__":
    main()
