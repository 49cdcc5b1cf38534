"""Make a model that vLLM serves quickly out of a GGUF file or a folder with safetensors.

    python -m serving.convert SOURCE DEST [--precision w8a8|bf16]

Runs in the engine's environment (torch, transformers, gguf). Tensors stream from the source through
:mod:`serving.quantise` into shards, so memory stays near one shard plus the largest tensor however large the model is.
Progress goes to stdout as JSON lines ``{"done": parameters, "total": parameters}``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from serving import quantise

# Reading the header of a GGUF file takes seconds (150,000 tokens), and transformers does it for the config and again
# for the tokenizer: let all share one reader.
gguf.GGUFReader = lru_cache(gguf.GGUFReader)

SHARD_BYTES = 512 * 1024 * 1024
TIED_COSINE = 0.99  # two quantised copies of one matrix are at least this alike; unrelated ones are near 0
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
GGUF_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
ARCHITECTURES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM"}
Tensors = Iterator[tuple[str, torch.Tensor]]
Array = np.ndarray[Any, np.dtype[np.float32]]


class Unsupported(Exception):
    """The source holds something this converter does not know; the message names it."""


def hf_name(gguf_name: str) -> str:
    """``blk.3.attn_q.weight`` → ``model.layers.3.self_attn.q_proj.weight``. Raises Unsupported for unknown tensors."""
    match = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)", gguf_name)
    if not match or match[2] not in GGUF_NAMES:
        raise Unsupported(f"unknown tensor '{gguf_name}'")
    layer = f"model.layers.{match[1]}." if match[1] else ""
    return f"{layer}{GGUF_NAMES[match[2]]}.{match[3]}"


def unpermute(weight: Array, heads: int) -> Array:
    """Undo llama.cpp's interleaving of rotary halves in q and k of Llama models (convert_hf_to_gguf.py, permute)."""
    half = weight.shape[0] // heads // 2
    return weight.reshape(heads, half, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


class GgufSource:
    """Reads a GGUF file: config and tokenizer through transformers, tensors one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader = gguf.GGUFReader(str(path))
        self.by_name = {tensor.name: tensor for tensor in self.reader.tensors if tensor.name != "rope_freqs.weight"}
        where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
        self.config = AutoConfig.from_pretrained(**where)
        if self.config.model_type not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise Unsupported(f"architecture '{self.config.model_type}' (known: {known}); give the safetensors folder")
        self.config.architectures = [ARCHITECTURES[self.config.model_type]]
        self.tokenizer = AutoTokenizer.from_pretrained(**where)
        self.config.tie_word_embeddings = self._tied()
        if self.config.tie_word_embeddings and "output.weight" in self.by_name:
            # One matrix stored twice: keep output.weight, which has the higher precision, as the embedding.
            self.by_name["token_embd.weight"] = self.by_name.pop("output.weight")
        self.parameters = sum(int(tensor.n_elements) for tensor in self.by_name.values())

    def _read(self, name: str, rows: int | None = None) -> Array:
        tensor = self.by_name[name]
        values: Array = gguf.dequantize(tensor.data[:rows], tensor.tensor_type)
        return values

    def _tied(self) -> bool:
        """GGUF files may store a tied matrix twice, at two precisions: compare the first thousand rows."""
        if "output.weight" not in self.by_name:
            return True
        head, embedding = (self._read(name, 1000).ravel() for name in ("output.weight", "token_embd.weight"))
        return bool(head @ embedding > TIED_COSINE * np.linalg.norm(head) * np.linalg.norm(embedding))

    def _tensor(self, name: str) -> tuple[str, torch.Tensor]:
        weight = self._read(name)
        if self.config.model_type == "llama" and re.search(r"attn_[qk]\.weight", name):
            heads = self.config.num_attention_heads if "attn_q" in name else self.config.num_key_value_heads
            weight = unpermute(weight, heads)
        return hf_name(name), torch.from_numpy(np.require(weight, requirements=["C", "W"]))

    def tensors(self) -> Tensors:
        """All tensors in the file's order; the next few are decoded meanwhile, since numpy uses one core each."""
        yield from ahead(self._tensor, self.by_name)

    def save_rest(self, dest: Path) -> None:
        self.tokenizer.save_pretrained(dest)
        end = self.tokenizer.eos_token_id
        GenerationConfig(eos_token_id=end, pad_token_id=self.tokenizer.pad_token_id).save_pretrained(dest)


class FolderSource:
    """Reads a folder in Hugging Face layout (config.json, tokenizer, *.safetensors)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = sorted(path.glob("*.safetensors"))
        if not self.files:
            raise Unsupported(f"no *.safetensors in {path.name}")
        self.config = AutoConfig.from_pretrained(str(path))
        if getattr(self.config, "quantization_config", None):
            raise Unsupported(f"{path.name} is quantised already; set engine.quantise to false to serve it as it is")
        self.parameters = sum(int(np.prod(shape)) for file in self.files for shape in self._shapes(file))

    @staticmethod
    def _shapes(file: Path) -> Iterator[list[int]]:
        with safe_open(file, "pt") as handle:
            for name in handle.keys():  # noqa: SIM118 -- a handle is no mapping
                yield handle.get_slice(name).get_shape()

    def tensors(self) -> Tensors:
        for file in self.files:
            with safe_open(file, "pt") as handle:
                for name in handle.keys():  # noqa: SIM118
                    yield name, handle.get_tensor(name)

    def save_rest(self, dest: Path) -> None:
        for file in self.path.iterdir():
            if file.is_file() and not file.name.startswith(("model", "pytorch_model", "config.json")):
                shutil.copy2(file, dest)


def write_shards(tensors: Iterable[tuple[str, torch.Tensor]], dest: Path) -> None:
    """Write tensors into ``model-NNNNN.safetensors`` files of about SHARD_BYTES with their index."""
    shard: dict[str, torch.Tensor] = {}
    index: dict[str, str] = {}
    size = total = 0

    def flush() -> None:
        nonlocal size
        name = f"model-{len(set(index.values())) + 1:05d}.safetensors"
        index.update(dict.fromkeys(shard, name))
        save_file(shard, dest / name, metadata={"format": "pt"})
        shard.clear()
        size = 0

    for name, tensor in tensors:
        shard[name] = tensor.contiguous()
        size += tensor.nbytes
        total += tensor.nbytes
        if size >= SHARD_BYTES:
            flush()
    if shard:
        flush()
    body = {"metadata": {"total_size": total}, "weight_map": index}
    (dest / "model.safetensors.index.json").write_text(json.dumps(body, indent=1))


def ahead(work: Callable[[str], tuple[str, torch.Tensor]], names: Iterable[str]) -> Tensors:
    """``map(work, names)`` with up to one item per core in the making, so memory stays bounded."""
    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        coming: deque[Future[tuple[str, torch.Tensor]]] = deque()
        for name in names:
            coming.append(pool.submit(work, name))
            if len(coming) > workers:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def counted(tensors: Tensors, total: int, report: Callable[[int, int], None]) -> Tensors:
    done = 0
    for name, tensor in tensors:
        yield name, tensor
        done += tensor.numel()
        report(done, total)


def convert(source: Path, dest: Path, precision: str, report: Callable[[int, int], None]) -> None:
    """Convert ``source`` into the folder ``dest``. Raises Unsupported with what is in the way."""
    model = FolderSource(source) if source.is_dir() else GgufSource(source)
    dest.mkdir(parents=True, exist_ok=True)
    tensors = counted(model.tensors(), model.parameters, report)
    if precision == "w8a8":
        write_shards(quantise.stream(tensors), dest)
    else:
        write_shards(((name, tensor.to(torch.bfloat16)) for name, tensor in tensors), dest)
    model.save_rest(dest)
    config: dict[str, Any] = model.config.to_diff_dict() | {"dtype": "bfloat16"}
    for unwanted in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        config.pop(unwanted, None)
    if precision == "w8a8":
        config["quantization_config"] = quantise.config()
    (dest / "config.json").write_text(json.dumps(config, indent=1, default=str))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="serving.convert")
    parser.add_argument("source", type=Path)
    parser.add_argument("dest", type=Path)
    parser.add_argument("--precision", choices=["w8a8", "bf16"], default="w8a8")
    options = parser.parse_args(arguments)

    def report(done: int, total: int) -> None:
        sys.stdout.write(json.dumps({"done": done, "total": total}) + "\n")
        sys.stdout.flush()

    try:
        convert(options.source, options.dest, options.precision, report)
    except Unsupported as error:
        sys.stderr.write(f"Cannot convert {options.source.name}: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
