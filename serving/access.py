"""The first keys: one for the administrator, one for each app, in ``secrets/`` and readable by the owner only."""

from __future__ import annotations

import os
import subprocess
import sys

import orjson

from kakehashi.errors import KakehashiError
from kakehashi.paths import home
from kakehashi.settings import Settings
from serving.components import components, get

# name of the key → further options of `kakehashi key create`
KEYS = {
    "admin": ["--admin"],
    "minutes": ["--profile", "minutes", "--service"],
    "proposals": ["--profile", "proposals", "--service"],
}


def create(name: str) -> str:
    """Make a key through the command line, the same way a person would, and keep it in its file."""
    command = [sys.executable, "-m", "kakehashi", "key", "create", "--name", name, "--json", *KEYS[name]]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode:
        raise KakehashiError(f"The key '{name}' could not be made: {run.stderr.strip()}", code="key_failed")
    key: str = orjson.loads(run.stdout.strip().splitlines()[-1])["key"]
    file = home().secrets / f"{name}.key"
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(key + "\n")
    return key


def ensure() -> dict[str, str]:
    """Make the keys that are not there yet; answers the new ones by name."""
    return {name: create(name) for name in KEYS if not (home().secrets / f"{name}.key").exists()}


def renew_unknown(settings: Settings) -> list[str]:
    """Replace the apps' keys that the running gateway does not know (its database was deleted); answers their names."""
    gateway = next(c for c in components(settings) if c.name == "gateway")
    renewed = []
    for name in ("minutes", "proposals"):
        key = (home().secrets / f"{name}.key").read_text().strip()
        if get(f"{gateway.url}/models", key=key)[0] == 401:
            create(name)
            renewed.append(name)
    return renewed
