"""What ``engine.model`` may name, told apart: an embedded model, a Hugging Face id, a folder, a GGUF file, or a URL."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kakehashi.errors import ConfigError
from serving.models import Precision, embedded, folder_name

Kind = Literal["embedded", "hub", "folder", "gguf", "url"]
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class Source:
    """``value`` is the name, id, path or URL without its prefix; ``name`` is what the engine calls the model."""

    kind: Kind
    value: str
    name: str

    def folder(self, precision: Precision) -> str:
        """Name of the folder under models/ that holds the converted model. Local sources add a hash of their place."""
        if self.kind == "embedded":
            return folder_name(self.value, precision)
        if self.kind == "hub":
            plain = self.value.replace("/", "--")
            return plain if precision == "bf16" else f"{plain}-{precision}"  # bf16: served as it comes
        place = hashlib.sha256(self.value.encode()).hexdigest()[:8]
        return f"{self.name}-{place}-{precision}"


def parse(model: str) -> Source:
    """Read the setting ``engine.model``. Raises ConfigError saying what was expected and found."""
    if model.startswith("embedded:"):
        name = model.removeprefix("embedded:")
        if embedded(name).kind != "language":
            raise ConfigError(f"engine.model: '{name}' is not a language model.")
        return Source("embedded", name, name)
    if re.match(r"https?://", model):
        return Source("url", model.rstrip("/"), "external")
    path = Path(model).expanduser()
    if path.suffix.lower() == ".gguf":
        if not path.is_file():
            raise ConfigError(f"engine.model: there is no file '{model}'.")
        return Source("gguf", str(path.resolve()), _UNSAFE.sub("-", path.stem))
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ConfigError(f"engine.model: the folder '{model}' has no config.json, so it is no model.")
        return Source("folder", str(path.resolve()), _UNSAFE.sub("-", path.resolve().name))
    if _HUB_ID.fullmatch(model):
        return Source("hub", model, model.split("/")[1])
    raise ConfigError(
        f"engine.model: '{model}' is neither embedded:NAME, a Hugging Face id (owner/name), an existing folder, "
        "a .gguf file nor an http(s) URL."
    )
