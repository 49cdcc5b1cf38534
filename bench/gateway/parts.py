"""The gateway with some of its parts left out, to see what each costs. ``python -m bench.gateway.parts PORT [PART …]``.

Parts: ``guardrails``, ``audit`` (limits are a matter of the key). Without any it still checks keys, fields and models.
Left out for measuring only: the product has no such switches.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from gateway.app import create_app, opened
from gateway.audit.record import Intent, Outcome
from gateway.guardrails.types import Decision, RequestGuard, Source, StreamGuard, Verdict
from gateway.server import bind, run
from gateway.telemetry import logs
from kakehashi.settings import load


class Unwatched:
    """Guardrails that see nothing."""

    ref = "none@0"

    def request(self, profile: str | None = None, *, headers: Mapping[str, str] | None = None) -> RequestGuard:
        return UnwatchedRequest()

    def scan(self, text: str, *, source: Source = "user", profile: str | None = None) -> Verdict:
        return Verdict("allow", text)


class UnwatchedRequest:
    policy_ref = "none@0"

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def check_request(self, body: dict[str, Any]) -> dict[str, Any]:
        return body

    def check_response(self, body: dict[str, Any]) -> dict[str, Any]:
        return body

    def stream(self, key: tuple[object, ...]) -> StreamGuard:
        return UnwatchedStream()


class UnwatchedStream:
    def feed(self, text: str) -> str:
        return text

    def finish(self, *, cut: bool = False) -> str:
        return ""


class Unwritten:
    """An audit log that keeps nothing."""

    async def start(self) -> None: ...

    async def intent(self, record: Intent) -> None: ...

    async def outcome(self, record: Outcome) -> None: ...

    async def close(self) -> None: ...


def main() -> None:
    port, parts = int(sys.argv[1]), sys.argv[2:]
    logs.set_up()
    app = create_app(
        load(),
        guardrails=None if "guardrails" in parts else Unwatched(),
        audit=None if "audit" in parts else Unwritten(),
    )
    run([(app, bind("127.0.0.1", port, "gateway.port"))], opened(app.state.services))


if __name__ == "__main__":
    main()
