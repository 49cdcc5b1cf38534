"""Measure a cold start: clone, set up, start, first answer; then a second start. Prints a table and JSON.

    python -m bench.startup [--keep]

Runs in a temporary clone of this checkout with its own KAKEHASHI_HOME and ports; pip's and uv's caches stay as they
are, so say with a result whether they were warm. Wants 8 GB of disk and an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
# The engine's log line that ends each phase of its start → the phase.
PHASES = {
    "non-default args": "engine: import, API server",
    "Initializing a V1 LLM engine": "engine: import, engine core",
    "Starting to load model": "engine: import, worker",
    "Loading weights took": "engine: load weights",
    "init engine": "engine: pack weights, KV cache",
    "Starting vLLM server": "engine: tokenizer, chat template, routes",
}
STAMP = re.compile(r"(\d\d):(\d\d):(\d\d) \[")


@dataclass
class Clock:
    """Named spans in seconds, in the order in which they ended."""

    spans: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def span(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.spans[name] = time.monotonic() - began
        print(f"{self.spans[name]:8.1f} s  {name}", flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path) -> dict[str, str]:
    ports = ("ENGINE__PORT", "GATEWAY__PORT", "GATEWAY__ADMIN_PORT", "MINUTES__PORT", "PROPOSALS__PORT")
    return {**os.environ, "KAKEHASHI_HOME": str(home), **{f"KAKEHASHI_{name}": str(free_port()) for name in ports}}


def first_answer(env: dict[str, str], home: Path) -> None:
    """One short chat through the gateway with the key of the minutes app."""
    key = (home / "secrets" / "minutes.key").read_text().strip()
    question = [{"role": "user", "content": "日本の首都はどこですか。"}]
    body = json.dumps({"model": "default", "messages": question, "max_tokens": 16, "temperature": 0})
    request = urllib.request.Request(
        f"http://127.0.0.1:{env['KAKEHASHI_GATEWAY__PORT']}/v1/chat/completions",
        data=body.encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert json.load(answer)["choices"][0]["message"]["content"]


def engine_phases(log: Path) -> dict[str, float]:
    """Seconds between the marks in the engine's log; the log has whole seconds."""
    found: dict[str, float] = {}
    last: int | None = None
    for line in log.read_text(errors="replace").splitlines():
        stamp = STAMP.search(line)
        phase = next((phase for mark, phase in PHASES.items() if mark in line), None)
        if stamp and phase and phase not in found:
            hours, minutes, seconds = map(int, stamp.groups())
            now = hours * 3600 + minutes * 60 + seconds
            if last is not None:
                found[phase] = float((now - last) % 86400)
            last = now
    return found


def start(clock: Clock, name: str, clone: Path, env: dict[str, str], home: Path) -> dict[str, float]:
    """`kakehashi up`, one answer, `kakehashi down`; answers the phases of the engine's start."""
    kakehashi = str(clone / ".venv" / "bin" / "kakehashi")
    with clock.span(f"{name}: until everything is healthy"):
        subprocess.run([kakehashi, "up", "--detach"], env=env, check=True, stdout=subprocess.DEVNULL)
    try:
        with clock.span(f"{name}: first answer"):
            first_answer(env, home)
    finally:
        with clock.span(f"{name}: stop"):
            subprocess.run([kakehashi, "down"], env=env, check=True, stdout=subprocess.DEVNULL)
    phases = engine_phases(home / "logs" / "engine.log")
    (home / "logs" / "engine.log").unlink()
    return phases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the clone behind")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="kakehashi-startup-"))
    clone, home, clock = place / "clone", place / "home", Clock()
    env = environment(home)
    try:
        with clock.span("clone"):
            subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(clone)], check=True)
        with clock.span("make setup"):
            subprocess.run(["make", "-s", "setup", f"PYTHON={sys.executable}"], cwd=clone, env=env, check=True)
        with clock.span("make setup, again"):
            subprocess.run(["make", "-s", "setup", f"PYTHON={sys.executable}"], cwd=clone, env=env, check=True)
        phases = {name: start(clock, name, clone, env, home) for name in ("first start", "second start")}
    finally:
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
    counted = ("make setup", "first start: until everything is healthy", "first start: first answer")
    cold = sum(clock.spans[name] for name in counted)
    print(json.dumps({"cold_s": round(cold, 1), "spans_s": clock.spans, "engine_s": phases}, indent=1))


if __name__ == "__main__":
    main()
