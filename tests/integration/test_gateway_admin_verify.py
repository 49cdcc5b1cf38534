"""``POST /admin/audit/verify`` compares the checkpoints that are kept on other systems."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers.fake_upstream import FakeUpstream
from tests.helpers.running_gateway import running_gateway


def test_a_checkpoint_in_an_anchor_that_nobody_signed_fails_the_verification(
    tmp_path: Path, engine: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor = tmp_path / "anchor.jsonl"
    options: dict[str, Any] = {"real_audit": True, "audit_anchors": [str(anchor)]}
    with running_gateway(tmp_path / "home", monkeypatch, engine.url, **options) as gateway:
        headers = {"authorization": f"Bearer {gateway.key(admin=True)}"}
        url = f"{gateway.admin_url}/admin/audit/verify"
        deadline = time.monotonic() + 60
        while not anchor.exists() or not anchor.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        good = httpx.post(url, json={}, headers=headers, timeout=60).json()
        assert good["ok"], good
        with anchor.open("a") as file:
            file.write('{"v":1,"writer":"forged"}\n')
        bad = httpx.post(url, json={}, headers=headers, timeout=60).json()
    assert not bad["ok"]
    assert any("is not signed by this installation" in problem["what"] for problem in bad["problems"])
