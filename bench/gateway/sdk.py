"""``python -m bench.gateway.sdk --checkout DIR --upstream URL``: openai-python's own tests, straight and through us.

``DIR`` is a checkout of openai-python (not part of this repository). Its tests of the surfaces we serve run twice, against
the engine itself and through the gateway with guardrails and audit on, from a copy in which only the model's name and the
key are replaced. They check types, not sense. What passes straight must pass through the gateway; the lists say what not.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from bench.gateway.sides import Outcomes, first_model, run_pytest, tell
from bench.gateway.targets import start_gateway

SURFACES = (
    "chat/test_completions.py",
    "test_completions.py",
    "test_responses.py",
    "test_embeddings.py",
    "test_models.py",
    "test_moderations.py",
    "audio/test_transcriptions.py",
    "audio/test_translations.py",
    "test_files.py",
    "test_batches.py",
)
# Not the addresses of stored answers, which neither vLLM as we run it nor the gateway has; and no aiohttp adapter.
# Files and batches with every method: neither vLLM has them, so they pass through the gateway only, where they can
# (most name a file that never was, which a stub answers and a real server refuses).
_CHOSEN = "not aiohttp and (create or (models and (list or retrieve)) or files or batches)"
_INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = session\n"


@click.command()
@click.option("--checkout", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--upstream", required=True, help="Base URL (…/v1) of a running engine; a short context keeps it quick.")
def main(checkout: Path, upstream: str) -> None:
    """Run both sides and print the lists."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gateway = start_gateway(stack, place / "home", upstream)
        model = first_model(upstream)
        sides: dict[str, Outcomes] = {}
        for name, url, key in (
            ("straight", upstream, "none"),
            ("gateway", gateway.url, gateway.headers["authorization"].removeprefix("Bearer ")),
        ):
            copy = _copied(checkout, place / name, model, key)
            sides[name] = _run(copy, url)
    tell(sides["straight"], sides["gateway"])


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
    environment = {**os.environ, "TEST_API_BASE_URL": url, "PYTHONPATH": "."}
    return run_pytest(copy, ["-k", _CHOSEN, *files], environment, "tests.api_resources.")


if __name__ == "__main__":
    main()
