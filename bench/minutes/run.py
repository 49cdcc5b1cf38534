"""Precision, recall, owners, deadlines, evidence and time on the written meetings.

    python -m bench.minutes.run                                     rules alone
    python -m bench.minutes.run --gateway http://127.0.0.1:8080/v1  with the model (key in KAKEHASHI_KEY)

``dev`` was looked at while the rules were written, ``heldout`` was written first and only scored. Named: the transcript
has the speakers' names; anonymous: 話者1 …, as from a recording.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from apps.common.client import GatewayClient
from apps.minutes.pipeline import Request, make_minutes
from tests.helpers.gold import Score, load, meetings, score

SECTIONS = ("decisions", "actions", "open_questions", "dissent")


def measure(part: str, anonymous: bool, client: GatewayClient | None, details: bool) -> None:
    totals = {s: Score() for s in SECTIONS}
    audio = spent = 0.0
    for path in meetings(part):
        gold = load(path, anonymous=anonymous)
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as work:
            result = make_minutes(gold.transcript, Request(gold.meeting), client=client, work=Path(work))
        spent += time.monotonic() - began
        audio += gold.transcript.segments[-1].end
        for section, total in totals.items():
            total.add(score(gold, result.minutes, section))
    print(f"\n{part}, {'anonymous' if anonymous else 'named'}, {'with model' if client else 'rules only'}")
    print(f"{'':16}{'expected':>9}{'found':>7}{'precision':>11}{'recall':>8}{'evidence':>10}{'review':>8}")
    for name, t in totals.items():
        evidence = t.evidence / t.right if t.right else 1.0
        rate = t.review / t.found if t.found else 0.0
        print(f"{name:16}{t.expected:>9}{t.found:>7}{t.precision:>11.2f}{t.recall:>8.2f}{evidence:>10.2f}{rate:>8.2f}")
    actions = totals["actions"]
    right = max(1, actions.right)
    print(
        f"owners {actions.owners / right:.2f}, deadlines {actions.dues / right:.2f}, both {actions.complete / right:.2f}"
    )
    print(f"{spent / (audio / 60):.2f} s for each minute of speech")
    if details:
        print("\n".join(line for t in totals.values() for line in t.lines))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gateway")
    parser.add_argument("--model", default="default")
    parser.add_argument("--part", choices=["dev", "heldout"])
    parser.add_argument("--details", action="store_true", help="list what was missed or invented (dev only)")
    chosen = parser.parse_args()
    client = (
        GatewayClient(chosen.gateway, os.environ.get("KAKEHASHI_KEY", ""), model=chosen.model)
        if chosen.gateway
        else None
    )
    for part in [chosen.part] if chosen.part else ["dev", "heldout"]:
        for anonymous in (False, True):
            measure(part, anonymous, client, chosen.details and part == "dev")


if __name__ == "__main__":
    main()
