"""The converter, in the engine's own environment: int8 near the original, GGUF names, a folder made smaller."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kakehashi.errors import NotReady
from kakehashi.paths import CHECKOUT
from serving import models, runtime

pytestmark = pytest.mark.engine


def in_engine(code: str) -> Any:
    """Run code in the engine's environment; answers what it printed as JSON."""
    try:
        python = runtime.python()
    except NotReady as error:
        pytest.skip(str(error))
    run = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, cwd=CHECKOUT, env=runtime.module_environment()
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_int8_weights_stay_within_half_a_step_of_the_original() -> None:
    worst, dtype, shape = in_engine(
        "import json, torch; from serving.quantise import quantise\n"
        "w = torch.randn(64, 96) * torch.logspace(-3, 2, 64).unsqueeze(1)\n"
        "q, s = quantise(w)\n"
        "print(json.dumps([((q * s - w).abs() / s).max().item(), str(q.dtype), list(s.shape)]))"
    )
    assert worst <= 0.5001
    assert (dtype, shape) == ("torch.int8", [64, 1])


def test_a_row_of_zeros_stays_zero() -> None:
    values, scale = in_engine(
        "import json, torch; from serving.quantise import quantise\n"
        "q, s = quantise(torch.zeros(2, 4)); print(json.dumps([q.tolist(), bool(torch.isfinite(s).all())]))"
    )
    assert values == [[0] * 4] * 2
    assert scale is True


def test_only_the_matrices_inside_the_layers_are_quantised() -> None:
    names = in_engine(
        "import json, torch; from serving.quantise import stream\n"
        "t = {'model.embed_tokens.weight': torch.ones(4, 4), 'model.layers.0.self_attn.q_proj.weight': torch.ones(4, 4),\n"
        "     'model.layers.0.self_attn.q_proj.bias': torch.ones(4), 'model.norm.weight': torch.ones(4),\n"
        "     'lm_head.weight': torch.ones(4, 4)}\n"
        "print(json.dumps({n: str(v.dtype) for n, v in stream(t.items())}))"
    )
    assert {name for name, dtype in names.items() if dtype == "torch.int8"} == {
        "model.layers.0.self_attn.q_proj.weight"
    }
    assert names["model.layers.0.self_attn.q_proj.weight_scale"] == "torch.float32"
    assert set(names.values()) == {"torch.int8", "torch.float32", "torch.bfloat16"}


def test_gguf_names_become_those_of_transformers() -> None:
    found = in_engine(
        "import json; from serving.convert import Unsupported, hf_name\n"
        "def name(n):\n"
        "    try: return hf_name(n)\n"
        "    except Unsupported as e: return str(e)\n"
        "names = ['blk.3.attn_q.bias', 'output.weight', 'token_embd.weight', 'blk.0.ssm_a']\n"
        "print(json.dumps([name(n) for n in names]))"
    )
    assert found == [
        "model.layers.3.self_attn.q_proj.bias",
        "lm_head.weight",
        "model.embed_tokens.weight",
        "unknown tensor 'blk.0.ssm_a'",
    ]


def test_llamas_rotary_halves_are_put_back() -> None:
    same = in_engine(
        "import json, numpy as np; from serving.convert import unpermute\n"
        "w = np.arange(48, dtype=np.float32).reshape(12, 4)\n"
        "permuted = w.reshape(3, 2, 2, 4).swapaxes(1, 2).reshape(12, 4)  # what llama.cpp does, for 3 heads\n"
        "print(json.dumps(bool((unpermute(permuted, 3) == w).all())))"
    )
    assert same is True


@pytest.fixture(scope="module")
def small_model() -> Path:
    try:
        return models.path("smollm2-135m")
    except NotReady as error:
        pytest.skip(str(error))


def convert(source: Path, dest: Path) -> subprocess.CompletedProcess[str]:
    command = [str(runtime.python()), "-m", "serving.convert", str(source), str(dest), "--precision", "w8a8"]
    return subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, env=runtime.module_environment())


def test_a_folder_is_converted_and_says_how_far_it_is(small_model: Path, tmp_path: Path) -> None:
    run = convert(small_model, tmp_path / "int8")
    assert run.returncode == 0, run.stderr
    steps = [json.loads(line) for line in run.stdout.splitlines()]
    assert steps[-1]["done"] == steps[-1]["total"] > 100_000_000
    config = json.loads((tmp_path / "int8" / "config.json").read_text())
    assert config["quantization_config"]["quant_method"] == "compressed-tensors"
    assert (tmp_path / "int8" / "chat_template.jinja").read_text() == (small_model / "chat_template.jinja").read_text()
    sizes = [sum(f.stat().st_size for f in folder.glob("*.safetensors")) for folder in (small_model, tmp_path / "int8")]
    assert sizes[1] < 0.65 * sizes[0]


def test_a_model_that_is_quantised_already_is_refused_with_the_way_out(small_model: Path, tmp_path: Path) -> None:
    quantised = tmp_path / "int8"
    quantised.mkdir()
    for file in small_model.iterdir():
        (quantised / file.name).symlink_to(file)
    config = json.loads((small_model / "config.json").read_text())
    (quantised / "config.json").unlink()
    (quantised / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "awq"}}))
    run = convert(quantised, tmp_path / "again")
    assert run.returncode == 2
    assert "set engine.quantise to false" in run.stderr
