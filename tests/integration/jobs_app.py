"""An app for the job tests: three stages whose behaviour the test steers through files in the job folder.

``work/log`` gets a line per stage begun; a file ``work/hold-N`` keeps stage N busy until it is removed; ``work/fail-N``
makes it fail; ``work/wait-N`` makes it ask for a person.
"""

from __future__ import annotations

import time
from functools import partial

from apps.common.jobs import Kind, Outcome, Stage, Work
from kakehashi.errors import BadInput
from kakehashi.settings import Settings


def run(number: int, work: Work) -> Outcome:
    steer = work.folder.work
    with (steer / "log").open("a") as log:
        log.write(f"{number}\n")
    with (steer.parent.parent / "order").open("a") as order:
        order.write(f"{work.info.id} {number}\n")
    work.progress("half", 0.5, eta_s=3.0, detail=f"{number}")
    while (steer / f"hold-{number}").exists():
        work.progress("half", 0.5, eta_s=3.0, detail=f"{number}")
        time.sleep(0.05)
    if (steer / f"fail-{number}").exists():
        raise BadInput("The recording is silent.", hint="Check the microphone.", code="audio_silent")
    if (steer / f"bug-{number}").exists():
        raise ZeroDivisionError("division by zero")
    if (steer / f"wait-{number}").exists():
        return Outcome(state="waiting")
    return Outcome()


def kind(_settings: Settings) -> Kind:
    stages = tuple(Stage(f"stage{n}", partial(run, n), end=n / 3) for n in (1, 2, 3))
    return Kind("testjobs", stages, {"testjobs": 1, "testjobs-light": 2})
