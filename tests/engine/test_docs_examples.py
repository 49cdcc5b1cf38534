"""The shell examples in the developers' page, run as they stand against a gateway in front of a real vLLM."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from gateway.guardrails.policy import load_policy
from kakehashi.paths import CHECKOUT
from tests.helpers.fake_speech import FakeSpeech
from tests.helpers.fake_upstream import running
from tests.helpers.running_gateway import RunningGateway, running_gateway

pytestmark = pytest.mark.engine
PAGE = CHECKOUT / "docs" / "developers.md"
EXAMPLES = re.findall(r"(?ms)^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"))
PROGRAMS = re.findall(r"(?ms)^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"))


RECORDING = CHECKOUT / "tests" / "data" / "audio" / "short_ja.ogg"


@pytest.fixture(scope="module")
def gateway(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """In front of a real engine; what is said in the recording is told by a stand-in (``tests/speech`` asks Whisper)."""
    with (
        pytest.MonkeyPatch.context() as patch,
        running(FakeSpeech()) as speech,
        running_gateway(
            tmp_path_factory.mktemp("home"), patch, engine_url, guardrails=load_policy(None), speech=speech.url
        ) as server,
    ):
        yield server


def run(gateway: RunningGateway, *command: str) -> str:
    environment = {**os.environ, "KAKEHASHI_URL": gateway.root, "KAKEHASHI_KEY": gateway.key()}
    environment["KAKEHASHI_RECORDING"] = str(RECORDING)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert gateway.keys[-1] not in done.stdout
    return done.stdout


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 4 and PROGRAMS


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: " ".join(re.findall(r"/v1/[\w/]+", text)))
def test_each_curl_example_is_answered(gateway: RunningGateway, example: str) -> None:
    assert shutil.which("curl"), "curl is missing"
    answer = run(gateway, "bash", "-euo", "pipefail", "-c", example)
    assert answer.strip() and '"error"' not in answer


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda text: text.split("\n", 1)[0])
def test_each_python_example_runs(gateway: RunningGateway, program: str) -> None:
    assert run(gateway, str(CHECKOUT / ".venv" / "bin" / "python"), "-c", program).strip()
