"""Whatever the published descriptions of both APIs allow, and what they forbid, is answered without a failure of our own.

Schemathesis makes the requests from the OpenAPI documents as they are served.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.running_gateway import RunningGateway, running_gateway

EXAMPLES = 5  # of each operation and mode


@pytest.fixture(scope="module")
def gateway(engine: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        pytest.MonkeyPatch.context() as patch,
        running_gateway(tmp_path_factory.mktemp("home"), patch, engine.url, real_audit=True) as server,
    ):
        yield server


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
@pytest.mark.parametrize("port", ["public", "admin"])
def test_nothing_makes_us_fail(
    gateway: RunningGateway, upstream: FakeUpstream, port: str, mode: GenerationMode
) -> None:
    root = gateway.root if port == "public" else gateway.admin_url
    document = httpx.get(root + "/openapi.json").json()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())
    failures: list[str] = []
    with requests.Session() as session:
        for operation in operations:
            key = gateway.key(admin=port == "admin")
            _try(operation, mode, session, root, key, failures)
    assert failures == []


def _try(
    operation: Any, mode: GenerationMode, session: requests.Session, root: str, key: str, failures: list[str]
) -> None:
    @settings(max_examples=EXAMPLES, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def tried(case: Any) -> None:
        answer = case.call(base_url=root, session=session, headers={"authorization": f"Bearer {key}"}, timeout=30)
        told = answer.headers.get("x-request-id", [""])[0]
        if answer.status_code >= 500 or not re.fullmatch(r"[\w-]{8,}", told):
            failures.append(f"{case.as_curl_command()} → {answer.status_code} {answer.text[:300]}")
        if answer.status_code >= 400 and not isinstance(answer.json()["error"]["message"], str):
            failures.append(f"{case.as_curl_command()} → no error of ours: {answer.text[:300]}")

    with suppress(Unsatisfiable):  # an address that takes nothing can be asked for nothing wrong
        tried()
