"""The two virtual environments, installed from hash-locked requirements by uv. Standard library only.

``.venv`` holds Kakehashi, ``.venv-engine`` vLLM with torch: they pin different versions of the same packages. uv itself
comes through pip, pinned by hash; pip's own settings (index, find-links, certificate) are handed on to uv.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

# PyTorch's own index for builds without CUDA; the package index has only the one with gigabytes of it.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
OLDEST = (3, 11)
CANDIDATES = ("python3.11", "python3", "python3.12", "python3.13")
STAMP = "kakehashi-setup"
MARKER = "kakehashi-engine"
# pip's setting → uv's environment variable
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
COMMA_SEPARATED = {"UV_FIND_LINKS"}

Say = Callable[[str], None]


class SetupError(Exception):
    """The set-up cannot go on; the message says why and what to do."""


def version_of(python: str) -> tuple[int, ...]:
    """(3, 11) for a usable interpreter, () for one that is missing or does not run."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        run = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(int(part) for part in run.stdout.split()) if run.returncode == 0 else ()


def find_python() -> str:
    """A Python that is new enough, 3.11 if there is one: the engine's locked torch is built for it."""
    found = {python: version_of(python) for python in (sys.executable, *CANDIDATES)}
    usable = [python for python, version in found.items() if version >= OLDEST]
    if not usable:
        raise SetupError("Python 3.11 or newer is needed. On Debian: sudo apt-get install -y python3 python3-venv")
    return next((python for python in usable if found[python] == OLDEST), usable[0])


def rerun_with_new_python(say: Say) -> None:
    """Start over with a newer interpreter if this one is too old to run the set-up itself."""
    if sys.version_info < OLDEST:
        try:
            python = find_python()
        except SetupError as error:
            say(f"set-up: {error}")
            raise SystemExit(1) from error
        path = shutil.which(python) or python
        os.execv(path, [path, *sys.argv])  # noqa: S606 -- a fixed argument list, no shell


def ensure_venv_module(python: str, say: Say) -> None:
    """Debian ships Python without ensurepip: add it as root, or say the one command that does."""
    probe = subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True)
    if probe.returncode == 0:
        return
    from setup_system import Package, command, install_command

    needed = [Package("python3-venv", "virtual environments")]
    install = install_command(needed)
    if install is None:
        raise SetupError(f"Python has no venv module here. Run: {command(needed)}")
    say("Installing python3-venv …")
    if subprocess.call(install) or subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode:
        raise SetupError(f"python3-venv could not be installed. Run: {command(needed)}")


def parse_pip_config(listing: str) -> dict[str, str]:
    """Settings from ``pip config list``; those of the environment win, then site, user, global."""
    rank = {"global": 0, "user": 1, "site": 2, "install": 3, ":env:": 4}
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        name, separator, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if separator and section in rank and (key not in found or rank[section] >= found[key][0]):
            found[key] = (rank[section], str(ast.literal_eval(value)))
    return {key: value for key, (_, value) in found.items()}


def uv_environment(pip: dict[str, str]) -> dict[str, str]:
    """pip's settings as uv's environment variables. What the caller set for uv is left alone."""
    env: dict[str, str] = {}
    for key, variable in PIP_TO_UV.items():
        values = pip.get(key, "").split()
        if key == "extra-index-url":  # uv has no flat file indexes
            values = [value for value in values if value.startswith(("http://", "https://"))]
        if values and variable not in os.environ:
            env[variable] = ("," if variable in COMMA_SEPARATED else " ").join(values)
    if "UV_INDEX" in env:
        env["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # hashes are locked: no index can slip something else in
    return env


def pip_settings(python: Path) -> dict[str, str]:
    run = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True)
    return parse_pip_config(run.stdout)


def torch_options(find_links: str, lock: Path) -> list[str]:
    """Where to find the CPU build of torch: a find-links that has it, else PyTorch's own index."""
    pinned = next(line.split()[0] for line in lock.read_text().splitlines() if line.startswith("torch=="))
    wheel = pinned.replace("==", "-")
    for place in find_links.replace(",", " ").split():
        local = Path(place.removeprefix("file://"))
        if "://" in place.removeprefix("file://") or (local.is_dir() and any(local.glob(f"{wheel}*"))):
            return []
    index = os.environ.get("KAKEHASHI_TORCH_INDEX", TORCH_CPU_INDEX)
    return ["--index", index, "--index-strategy", "unsafe-best-match"]


def has_gpu() -> bool:
    """True if NVIDIA's driver answers and lists a device."""
    if shutil.which("nvidia-smi") is None:
        return False
    run = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return run.returncode == 0 and "GPU" in run.stdout


class Environment:
    """A virtual environment and the lock file it is made from. ``kind`` names it to people."""

    def __init__(self, checkout: Path, folder: str, lock: str, python: str, kind: str) -> None:
        self.checkout, self.folder, self.python, self.kind = checkout, checkout / folder, python, kind
        self.lock = checkout / "requirements" / f"{lock}.lock"
        self.interpreter = self.folder / "bin" / "python"

    def _fingerprint(self) -> str:
        """Changes with the lock, and with pyproject.toml, since that defines the installed command."""
        project = (self.checkout / "pyproject.toml").read_bytes() if self.folder.name == ".venv" else b""
        return f"{self.lock.name} {hashlib.sha256(self.lock.read_bytes() + project).hexdigest()}"

    def is_current(self) -> bool:
        stamp = self.folder / STAMP
        text = stamp.read_text() if stamp.exists() else ""
        # The development lock holds all that the main one does: no need to go back to that.
        return self.interpreter.exists() and self._fingerprint() in text.splitlines()

    def stamp(self, *also: str) -> None:
        (self.folder / STAMP).write_text("\n".join([self._fingerprint(), *also]) + "\n")

    def create(self) -> None:
        """Make the bare environment, unless it is there and runs."""
        if not version_of(str(self.interpreter)):
            shutil.rmtree(self.folder, ignore_errors=True)
            run = subprocess.run([self.python, "-m", "venv", str(self.folder)], capture_output=True, text=True)
            if run.returncode:
                raise SetupError(f"{self.folder.name} could not be made: {(run.stdout + run.stderr).strip()}")
        (self.folder / STAMP).unlink(missing_ok=True)


class Main(Environment):
    """``.venv``: Kakehashi itself."""

    def install_now(self, say: Say) -> None:
        """Install in the foreground, unless it is current."""
        if self.is_current():
            return
        say(f"Setting up {self.folder.name} …")
        self.create()
        pip = [str(self.interpreter), "-m", "pip", "--disable-pip-version-check", "-qq", "install", "--require-hashes"]
        self._run([*pip, "-r", str(self.checkout / "requirements" / "uv.lock")])
        env = {**os.environ, **uv_environment(pip_settings(self.interpreter))}
        uv = [str(self.folder / "bin" / "uv"), "pip", "install", "-q", "--python", str(self.interpreter), "--no-deps"]
        self._run([*uv, "--require-hashes", "-r", str(self.lock)], env)
        self._run([*uv, "--no-build-isolation", "-e", str(self.checkout)], env)
        main_lock = Environment(self.checkout, self.folder.name, "main", self.python, self.kind)
        self.stamp(main_lock._fingerprint())

    def _run(self, command: list[str], env: dict[str, str] | None = None) -> None:
        if subprocess.call(command, env=env, cwd=self.checkout):
            raise SetupError(
                "A package could not be installed (see above). Check the network and pip's settings "
                "(pip config list), then run the same command again."
            )


class Engine(Environment):
    """``.venv-engine``: vLLM with its own torch."""

    def prepare(self, say: Say) -> tuple[list[str], dict[str, str]]:
        """Make the bare environment; answers the command that fills it, and its environment."""
        version = version_of(self.python)
        if self.kind == "cpu" and version != OLDEST:
            found = ".".join(map(str, version))
            raise SetupError(
                f"The engine's locked torch is built for Python 3.11; this is {found}. On Debian 12 python3 is 3.11; "
                "elsewhere install python3.11, or name a model server in KAKEHASHI_ENGINE__MODEL and use --no-engine."
            )
        say(f"Installing vLLM for the {self.kind.upper()} in the background …")
        self.create()
        main_folder = self.checkout / ".venv"
        pip = pip_settings(main_folder / "bin" / "python")
        env = {**os.environ, **uv_environment(pip)}
        uv = [str(main_folder / "bin" / "uv"), "pip", "install", "--python", str(self.interpreter), "--no-deps"]
        torch = torch_options(env.get("UV_FIND_LINKS", ""), self.lock) if self.kind == "cpu" else []
        return [*uv, "--require-hashes", *torch, "-r", str(self.lock)], env

    def finish(self) -> None:
        (self.folder / MARKER).write_text(self.kind + "\n")
        self.stamp()


def main(checkout: Path, python: str, *, dev: bool) -> Main:
    return Main(checkout, ".venv", "dev" if dev else "main", python, "Kakehashi")


def engine(checkout: Path, python: str) -> Engine:
    kind = "gpu" if has_gpu() else "cpu"
    return Engine(checkout, ".venv-engine", f"engine-{kind}", python, kind)
