"""LoRA adapters for tests: the folder PEFT writes, with weights that mean nothing."""

from __future__ import annotations

import json
import struct
from pathlib import Path


def make_adapter(home: Path, name: str, *, seed: int = 0, **config: object) -> Path:
    """A folder that passes every check here; no engine could load its weights."""
    folder = home / "adapters" / name
    folder.mkdir(parents=True)
    told = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], **config}
    (folder / "adapter_config.json").write_text(json.dumps(told))
    header = json.dumps({"__metadata__": {"seed": str(seed)}}).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    return folder
