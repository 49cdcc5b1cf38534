"""The models that Kakehashi knows by name, and where they lie when they are ready.

``models.yaml`` is the registry. A ready model is a folder under ``$KAKEHASHI_HOME/models`` with a ``manifest.json``
(source, licence, hashes, how it was converted) that was written last, so half-made folders never count.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import orjson
import yaml
from pydantic import BaseModel, ConfigDict

from kakehashi.errors import ConfigError, IntegrityError, NotReady
from kakehashi.paths import home

MANIFEST = "manifest.json"
CHUNK = 4 * 1024 * 1024
Precision = Literal["w8a8", "bf16"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Data):
    """``member`` of the wheel of ``package`` (``name==version``); bytes and sha256 are of the member."""

    package: str
    member: str
    bytes: int
    sha256: str


class ModelFile(_Data):
    """A file made of parts joined in order."""

    name: str
    bytes: int
    sha256: str
    parts: list[Part]


class Embedded(_Data):
    """A model that comes as data in packages. ``convert`` says what is made of its files."""

    name: str = ""
    kind: Literal["language", "speech", "speaker"]
    title: str
    licence: str
    upstream: str
    convert: Literal["vllm", "speaker", "none"]
    files: list[ModelFile]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


@lru_cache
def registry() -> dict[str, Embedded]:
    """All embedded models by name."""
    raw: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("models.yaml").read_text(encoding="utf-8"))
    return {name: Embedded(**body, name=name) for name, body in raw.items()}


def embedded(name: str) -> Embedded:
    """The embedded model of that name. Raises ConfigError naming those that exist."""
    if name not in registry():
        raise ConfigError(f"There is no embedded model '{name}'.", hint=f"Known: {', '.join(registry())}.")
    return registry()[name]


def folder_name(name: str, precision: Precision) -> str:
    """SmolLM2 is only for tests and too small to gain from int8: its folder carries no precision."""
    return name if name == "smollm2-135m" and precision == "bf16" else f"{name}-{precision}"


def path(name: str) -> Path:
    """The folder of an embedded model that is ready for use. Raises NotReady with the command that fetches it."""
    model = embedded(name)
    precisions: tuple[Precision, ...] = ("w8a8", "bf16")
    names = [folder_name(name, p) for p in precisions] if model.kind == "language" else [name]
    for candidate in names:
        if (home().models / candidate / MANIFEST).is_file():
            return home().models / candidate
    raise NotReady(
        f"The model '{name}' is not there yet.", hint=f"Run: kakehashi models fetch {name}", code="model_missing"
    )


def sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def inventory(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and hash of every file below ``folder`` except the manifest."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != MANIFEST)
    return {
        file.relative_to(folder).as_posix(): {"bytes": file.stat().st_size, "sha256": sha256(file)} for file in files
    }


def write_manifest(folder: Path, body: dict[str, Any]) -> None:
    """Add the files' hashes to ``body`` and write it as the folder's manifest."""
    text = orjson.dumps({**body, "files": inventory(folder)}, option=orjson.OPT_INDENT_2)
    (folder / MANIFEST).write_bytes(text + b"\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
    return body


def verify(folder: Path) -> int:
    """Compare every file with the manifest; answers the number of files. Raises IntegrityError for the first change."""
    expected = read_manifest(folder)["files"]
    found = inventory(folder)
    if extra := sorted(found.keys() - expected.keys()):
        raise IntegrityError(f"{folder.name}/{extra[0]} does not belong there.", hint="Remove it, or fetch anew.")
    for name, entry in expected.items():
        if name not in found:
            raise IntegrityError(f"{folder.name}/{name} is missing.", hint=_anew(folder))
        if found[name]["sha256"] != entry["sha256"]:
            raise IntegrityError(
                f"{folder.name}/{name} was changed: sha256 expected {entry['sha256']}, found {found[name]['sha256']}.",
                hint=_anew(folder),
            )
    return len(expected)


def _anew(folder: Path) -> str:
    return f"Remove the folder models/{folder.name} and run: kakehashi models fetch"
