"""System packages: which are missing, the command that adds them, and whether we may run it. Standard library only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple


class Package(NamedTuple):
    name: str
    purpose: str


PACKAGES = [
    Package("libreoffice-impress", "previews of slides"),
    Package("libreoffice-writer", "previews of minutes"),
    Package("libreoffice-calc", "charts in previews"),
    Package("poppler-utils", "previews as images"),
    Package("fonts-noto-cjk", "Japanese text in previews"),
    Package("fonts-morisawa-bizud-gothic", "Japanese text in previews"),
]
TEST_PACKAGES = [Package("chromium", "browser tests"), Package("ffmpeg", "recordings for the tests")]


def missing(packages: list[Package]) -> list[Package]:
    """Those that dpkg does not know as installed; without dpkg, none can be told."""
    if shutil.which("dpkg-query") is None:
        return []
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *(package.name for package in packages)]
    listed = subprocess.run(query, capture_output=True, text=True).stdout.split("\n")
    return [package for package in packages if f"{package.name} installed" not in listed]


def command(packages: list[Package]) -> str:
    """The one line that a person types."""
    return "sudo apt-get update && sudo apt-get install -y " + " ".join(package.name for package in packages)


def _privilege() -> list[str] | None:
    """[] as root, sudo where it asks for no password, else None."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


def install_command(packages: list[Package]) -> list[str] | None:
    """What installs them, or None if nothing is missing or we may not. KAKEHASHI_NO_SYSTEM_PACKAGES=1 forbids it."""
    privilege = _privilege()
    if not packages or privilege is None or shutil.which("apt-get") is None:
        return None
    if os.environ.get("KAKEHASHI_NO_SYSTEM_PACKAGES"):
        return None
    names = " ".join(package.name for package in packages)
    script = f"apt-get update -q && apt-get install -y -q --no-install-recommends {names}"
    return [*privilege, "env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", script]


def record(file: Path, packages: list[Package]) -> None:
    """Keep what is missing where pages and `make up` find it; nothing missing, no file."""
    if not packages:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    items = [{"package": package.name, "for": package.purpose} for package in packages]
    file.write_text(json.dumps({"missing": items, "command": command(packages)}, indent=1) + "\n")
