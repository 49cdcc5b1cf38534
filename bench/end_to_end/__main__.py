"""End-to-end real-time factor: ``python -m bench.end_to_end [AUDIO …]`` against the running system (``make up``).

Prints wall time ÷ audio length (RTF, below 1 is faster than the recording plays) and each stage's share.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av

from kakehashi.paths import CHECKOUT


def seconds_of(audio: Path) -> float:
    """Length of a recording in seconds."""
    with av.open(str(audio)) as container:
        return float(container.duration or 0) / av.time_base


def measure(audio: Path) -> None:
    """Run the command a user would run, cold (own output folder), and print one table row."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "kakehashi",
            "minutes",
            "run",
            str(audio),
            "--out",
            out,
            "--date",
            "2026-11-24",
        ]
        began = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        wall, length = time.monotonic() - began, seconds_of(audio)
        timings: dict[str, float] = json.loads((Path(out) / "minutes.json").read_text())["meta"].get("timings_s", {})
    shares = ", ".join(f"{name} {100 * spent / wall:.0f} %" for name, spent in timings.items())
    print(f"| {audio.name} | {length:.0f} s | {wall / length:.2f} | {shares} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audio", nargs="*", type=Path, default=sorted((CHECKOUT / "demo").glob("meeting_ja.ogg")))
    print("| recording | length | RTF | shares of the time |\n|---|---|---|---|")
    for audio in parser.parse_args().audio:
        measure(audio)


if __name__ == "__main__":
    main()
