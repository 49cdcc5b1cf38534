"""The engine's own environment (``.venv-engine``): where its Python is and whether it is made for a GPU.

The set-up (tools/setup.py) creates it and leaves ``kakehashi-engine`` in it, one word: cpu or gpu.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from kakehashi.errors import NotReady
from kakehashi.paths import CHECKOUT

Device = Literal["cpu", "gpu"]
HINT = "Run: make setup"


def environment_dir() -> Path:
    return CHECKOUT / ".venv-engine"


def python() -> Path:
    """The Python that has vLLM. Raises NotReady if the set-up has not made it yet."""
    found = environment_dir() / "bin" / "python"
    if not found.exists():
        raise NotReady("The engine is not installed (.venv-engine is missing).", hint=HINT, code="engine_missing")
    return found


def device() -> Device:
    """What the installed engine runs on."""
    marker = environment_dir() / "kakehashi-engine"
    return "gpu" if marker.exists() and marker.read_text().strip() == "gpu" else "cpu"


def module_environment() -> dict[str, str]:
    """Environment for ``python -m serving.…`` in the engine's environment."""
    env = dict(os.environ)
    # Without byte code each of vLLM's three processes compiles all it imports: 14 instead of 6 seconds apiece.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env | {"PYTHONPATH": str(CHECKOUT), "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
