"""``python -m bench.gateway.langchain --upstream URL``: LangChain's standard tests for chat models, straight and through us.

The tests are those of the installed ``langchain-tests``, run by ChatOpenAI against the engine itself and through the
gateway with guardrails and audit on. What passes straight must pass through the gateway.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from bench.gateway import langchain_cases
from bench.gateway.sides import Outcomes, first_model, run_pytest, tell
from bench.gateway.targets import start_gateway

_INI = (
    "[pytest]\nasyncio_mode = auto\n"
    "asyncio_default_fixture_loop_scope = session\nasyncio_default_test_loop_scope = session\n"
)  # LangChain keeps one connection pool for all models


@click.command()
@click.option("--upstream", required=True, help="Base URL (…/v1) of a running engine with a tool call parser.")
@click.option("-k", "chosen", default="", help="Only tests that fit this expression of pytest's.")
def main(upstream: str, chosen: str) -> None:
    """Run both sides and print the lists."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gateway = start_gateway(stack, place / "home", upstream)
        model = first_model(upstream)
        straight = run(place / "straight", upstream, "none", model, chosen)
        key = gateway.headers["authorization"].removeprefix("Bearer ")
        through = run(place / "gateway", gateway.url, key, model, chosen)
    tell(straight, through)


def run(place: Path, url: str, key: str, model: str, chosen: str = "") -> Outcomes:
    """The standard tests against one server; what each came to."""
    place.mkdir()
    (place / "pytest.ini").write_text(_INI)
    given = {"KAKEHASHI_BENCH_URL": url, "KAKEHASHI_BENCH_KEY": key, "KAKEHASHI_BENCH_MODEL": model}
    root = Path(__file__).parents[2]
    environment = {**os.environ, **given, "PYTHONPATH": str(root), "LANGCHAIN_TRACING_V2": "false"}
    arguments = [langchain_cases.__file__, f"--rootdir={place}", "-c", str(place / "pytest.ini")]
    return run_pytest(place, [*arguments, *(["-k", chosen] if chosen else [])], environment, _PREFIX)


_PREFIX = "bench.gateway.langchain_cases.TestStandard::"


if __name__ == "__main__":
    main()
