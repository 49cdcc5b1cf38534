"""Round-to-nearest W8A8 in compressed-tensors form: int8 weights per output channel, int8 activations per token.

No calibration data is needed: activations are scaled at run time. ``lm_head`` and embeddings stay in bf16, because they
decide the token and int8 saves little there. Runs in the engine's environment (torch); knows nothing about files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

INT8_MAX = 127


def config() -> dict[str, Any]:
    """The ``quantization_config`` that vLLM reads from config.json."""
    eight_bits = {"num_bits": 8, "type": "int", "symmetric": True}
    return {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "quantization_status": "compressed",
        "ignore": ["lm_head"],
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {**eight_bits, "strategy": "channel", "dynamic": False},
                "input_activations": {**eight_bits, "strategy": "token", "dynamic": True},
            }
        },
    }


def is_linear(name: str, tensor: torch.Tensor) -> bool:
    """True for the weight matrices inside the decoder layers; embeddings, norms, biases and lm_head are not."""
    return ".layers." in name and name.endswith("_proj.weight") and tensor.ndim == 2


def quantise(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight [out, in] → (int8 [out, in], float32 scale [out, 1]) with weight ≈ int8 · scale."""
    values = weight.to(torch.float32)
    scale = (values.abs().amax(dim=1, keepdim=True) / INT8_MAX).clamp(min=torch.finfo(torch.float32).tiny)
    return (values / scale).round_().clamp_(-INT8_MAX, INT8_MAX).to(torch.int8), scale


def stream(tensors: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Quantise a stream of named tensors one by one: only one is in memory as float32 at a time."""
    for name, tensor in tensors:
        if is_linear(name, tensor):
            weight, scale = quantise(tensor)
            yield name, weight
            yield f"{name}_scale", scale
        else:
            yield name, tensor.to(torch.bfloat16)
