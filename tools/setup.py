"""Set up everything the checkout needs: environments, system packages, models. Standard library only.

    python3 tools/setup.py [--dev] [--no-engine] [--no-models] [MODEL …]

It runs before anything is installed. A second run finds the stamps of the first and does nothing. Without root, system
packages that are missing are named, with the one command that adds them, and everything else goes on.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import setup_environment as environment
import setup_system as system

CHECKOUT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("KAKEHASHI_HOME") or CHECKOUT / "var").expanduser().resolve()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Background:
    """A long step that runs beside others; its output goes to a log, and the log is shown if it fails."""

    def __init__(self, name: str, command: list[str], env: dict[str, str] | None = None) -> None:
        (HOME / "logs").mkdir(parents=True, exist_ok=True)
        self.name, self.began = name, time.monotonic()
        self.log = HOME / "logs" / f"setup-{name.replace(' ', '-')}.log"
        with self.log.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=CHECKOUT, env=env)

    def wait(self) -> bool:
        """Wait for it; answers whether it succeeded."""
        if self.process.poll() is None:
            say(f"Waiting for the {self.name} … (log: {self.log.name} in KAKEHASHI_HOME/logs)")
        code = self.process.wait()
        say(f"{self.name}: {'done' if code == 0 else 'failed'} after {time.monotonic() - self.began:.0f} s")
        return code == 0

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def sole() -> None:
    """Wait for another set-up of this checkout, if there is one; the lock goes when this process ends."""
    lock = os.open(CHECKOUT / ".setup.lock", os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another set-up of this checkout is running; waiting for it.")
        fcntl.flock(lock, fcntl.LOCK_EX)


def finish_system(packages: list[system.Package], installing: Background | None) -> None:
    """Record what is still missing for the pages and for `make up`, or that nothing is."""
    if installing is not None and not installing.wait():
        say(installing.tail())
    missing = system.missing(packages)
    system.record(HOME / "run" / "missing.json", missing)
    for package in missing:
        say(f"Missing: {package.name} ({package.purpose})")
    if missing:
        say(f"  → {system.command(missing)}")


def finish_engine(venv: environment.Environment, installing: Background | None) -> None:
    if installing is None:
        return
    if not installing.wait():
        raise environment.SetupError(f"The engine could not be installed:\n{installing.tail()}")
    venv.finish()


def models(arguments: list[str]) -> None:
    command = [str(CHECKOUT / ".venv/bin/python"), "-m", "kakehashi", "models", "fetch", *arguments]
    code = subprocess.call(command, cwd=CHECKOUT, env={**os.environ, "KAKEHASHI_HOME": str(HOME)})
    if code:
        raise SystemExit(code)  # the command has said why


def run(options: argparse.Namespace) -> None:
    python = environment.find_python()
    wanted = system.PACKAGES + (system.TEST_PACKAGES if options.dev else [])
    environment.ensure_venv_module(python, say)
    main = environment.main(CHECKOUT, python, dev=options.dev)
    main.install_now(say)
    install = system.install_command(system.missing(wanted))
    packages = Background("system packages", install) if install else None
    venv = environment.engine(CHECKOUT, python)
    engine = None
    if options.engine and not venv.is_current():
        engine = Background(f"engine for the {venv.kind.upper()}", *venv.prepare(say))
        if options.models:
            models([*options.names, "--download-only"])  # the network is idle while the engine unpacks
    finish_engine(venv, engine)
    if options.models:
        models(options.names)
    finish_system(wanted, packages)


def main() -> int:
    parser = argparse.ArgumentParser(description="Set up Kakehashi in this checkout.")
    parser.add_argument("--dev", action="store_true", help="also what tests, lint and types need")
    parser.add_argument("--no-engine", dest="engine", action="store_false", help="without the language model server")
    parser.add_argument("--no-models", dest="models", action="store_false", help="without fetching models")
    parser.add_argument("names", nargs="*", metavar="MODEL", help="models [those the settings need]")
    options = parser.parse_args()
    environment.rerun_with_new_python(say)
    HOME.mkdir(parents=True, exist_ok=True)
    sole()
    try:
        run(options)
    except environment.SetupError as error:
        say(f"set-up: {error}")
        return 1
    except KeyboardInterrupt:
        say("Stopped. What is finished stays; run the same command to go on.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
