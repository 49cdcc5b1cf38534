"""LoRA adapters on disk: ``$KAKEHASHI_HOME/adapters/<name>@<sha12>/``, a folder as PEFT writes it.

A name stands for one set of weights for ever: vLLM keeps its prefix cache by the adapter's name (vllm#42125), so other
weights under a known name would be answered with from the old ones' cache. The digest of the whole folder is kept with
the name, and looked at again before each load.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from gateway.errors import BadRequest, NotFound

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}@[0-9a-f]{12}", re.ASCII)
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")  # reading one runs code
_CONFIG_BYTES = 1024 * 1024


def is_adapter(model: str) -> bool:
    """Whether a model's name is that of an adapter of ours."""
    return NAME.fullmatch(model) is not None


def check_name(name: str) -> str:
    """Raises BadRequest for what cannot be the name of an adapter."""
    if not is_adapter(name):
        raise BadRequest(
            f"'{name[:120]}' is no adapter's name. It has the form NAME@SHA12: letters, digits, . _ - before the @, "
            "twelve lower-case hexadecimal digits after it.",
            code="invalid_adapter_name",
        )
    return name


class AdapterFolder:
    """``$KAKEHASHI_HOME/adapters``: it need not exist."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """The adapters that lie there."""
        return sorted(path.name for path in self.root.glob("*@*") if path.is_dir() and is_adapter(path.name))

    def path(self, name: str) -> Path:
        return self.root / check_name(name)

    def check(self, name: str) -> str:
        """Look at an adapter and answer its digest. Raises NotFound, or BadRequest for what vLLM cannot or must not load."""
        folder = self.path(name)
        if not folder.is_dir():
            raise NotFound(
                f"There is no adapter '{name}' in the gateway's adapters folder.", code="adapter_not_on_disk"
            )
        files = _files(folder, name)
        if pickled := [path.name for path in files if path.suffix in _PICKLES]:
            raise _unusable(name, f"it holds {pickled[0]}; a pickle runs code when it is read: keep safetensors only")
        if not (folder / WEIGHTS).is_file():
            raise _unusable(name, f"it has no {WEIGHTS}")
        _check_config(name, folder / CONFIG)
        return digest(folder)


def digest(folder: Path) -> str:
    """SHA-256 over the folder's files, by name: the adapter's identity."""
    whole = hashlib.sha256()
    for path in sorted(_files(folder, folder.name)):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        name = path.relative_to(folder).as_posix().encode()
        whole.update(len(name).to_bytes(4, "big") + name + content)
    return whole.hexdigest()


def _files(folder: Path, name: str) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise _unusable(name, f"{path.name} is a link; an adapter holds its files itself")
        if path.is_file():
            found.append(path)
    return found


def _check_config(name: str, path: Path) -> None:
    """What of PEFT vLLM does not serve (vllm#9280), told now rather than by a replica later."""
    try:
        if path.stat().st_size > _CONFIG_BYTES:
            raise _unusable(name, f"{CONFIG} is too large")
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _unusable(name, f"{CONFIG} is missing or no JSON") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise _unusable(name, f"{CONFIG} is not of a LoRA adapter (peft_type LORA)")
    rank = config.get("r")
    if not isinstance(rank, int) or rank < 1:
        raise _unusable(name, f"{CONFIG} has no rank r")
    for key, what in (("modules_to_save", "whole modules beside the LoRA"), ("use_dora", "DoRA")):
        if config.get(key):
            raise _unusable(name, f"it has {what} ({key}), which vLLM does not serve")


def _unusable(name: str, why: str) -> BadRequest:
    return BadRequest(f"The adapter '{name[:120]}' cannot be used: {why}.", code="adapter_unusable")
