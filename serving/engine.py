"""How vLLM is started: its command line and environment, for the CPU and for NVIDIA GPUs.

The settings were measured (FACTS, bench/startup): all cores, Intel's OpenMP, int8, compact guided JSON, prefix cache.
The engine has no notion of users, so it listens on the loopback only; the gateway is the way in.
"""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from pathlib import Path

from kakehashi.errors import ConfigError
from kakehashi.paths import home
from kakehashi.settings import EngineSettings, Settings
from serving import prepare, runtime, source

MANY_CORES = 4  # up to here hyper-threads help; above, one thread per physical core is quicker
# The gateway tells each key's class of priority; without it, 0 for all, the order is that of arrival as ever.
PRIORITIES = ["--scheduling-policy", "priority"]
STRUCTURED = {"backend": "xgrammar", "disable_any_whitespace": True}
# How a model writes tool calls, told by what its chat template mentions; engine.extra_args can name another way.
TOOL_PARSERS = {"<|python_tag|>": "llama3_json", "[TOOL_CALLS]": "mistral", "<tool_call>": "hermes"}


def check_loopback(host: str) -> None:
    """Raises ConfigError unless ``host`` is this machine only: the engine trusts whoever reaches it."""
    if host != "localhost" and not _is_loopback(host):
        raise ConfigError(
            f"engine.host is '{host}', but the engine must not be reachable from outside: it knows no keys.",
            hint="Use 127.0.0.1 and let others call the gateway.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _siblings(cpu: int) -> str:
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    return topology.read_text().strip() if topology.exists() else str(cpu)


def cores() -> list[int]:
    """The CPUs to compute on, out of those this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) <= MANY_CORES:
        return allowed
    return sorted({_siblings(cpu): cpu for cpu in reversed(allowed)}.values())


def as_ranges(numbers: list[int]) -> str:
    """[0, 1, 2, 5] → ``0-2,5``, as VLLM_CPU_OMP_THREADS_BIND wants it."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def environment() -> dict[str, str]:
    """Environment of the vLLM process: offline, silent towards the outside, and quick."""
    env = runtime.module_environment() | {"VLLM_NO_USAGE_STATS": "1", "VLLM_USAGE_SOURCE": "kakehashi"}
    if runtime.device() == "gpu":
        return env
    env["VLLM_CPU_OMP_THREADS_BIND"] = as_ranges(cores())
    openmp = runtime.environment_dir() / "lib" / "libiomp5.so"
    if openmp.exists():
        env["LD_PRELOAD"] = ":".join(filter(None, [str(openmp), env.get("LD_PRELOAD", "")]))
    return env


def _model_argument(folder: Path) -> str:
    """Relative to KAKEHASHI_HOME where possible: the engine runs there, so its logs name no place on this machine."""
    return os.path.relpath(folder, home().root) if folder.is_relative_to(home().root) else str(folder)


def _tool_arguments(folder: Path, given: list[str]) -> list[str]:
    if "--tool-call-parser" in given:
        return []
    files = [folder / name for name in ("chat_template.jinja", "tokenizer_config.json")]
    text = "".join(file.read_text(encoding="utf-8") for file in files if file.exists())
    parser = next((parser for mark, parser in TOOL_PARSERS.items() if mark in text), "hermes")
    return ["--enable-auto-tool-choice", "--tool-call-parser", parser]


def command(settings: Settings) -> list[str]:
    """The command that starts the engine in KAKEHASHI_HOME. Raises NotReady if engine or model are not there yet."""
    engine = settings.engine
    check_loopback(engine.host)
    folder = prepare.engine_model(settings)
    # The `vllm` script and its subcommands look for a distribution named vllm, which the CPU build is not.
    run = [str(runtime.python()), "-m", "vllm.entrypoints.openai.api_server"]
    limits = ["--max-model-len", str(engine.max_model_len), "--enable-prefix-caching"]
    where = ["--host", engine.host, "--port", str(engine.port), "--uvicorn-log-level", "warning"]
    what = ["--model", _model_argument(folder), "--served-model-name", source.parse(engine.model).name]
    answers = ["--structured-outputs-config", json.dumps(STRUCTURED), *_tool_arguments(folder, engine.extra_args)]
    order = [] if any(a.startswith("--scheduling-policy") for a in engine.extra_args) else PRIORITIES
    return [*run, *what, *where, *limits, *order, *answers, *_cpu_arguments(engine), *engine.extra_args]


def _cpu_arguments(engine: EngineSettings) -> list[str]:
    if runtime.device() == "gpu":
        return []
    cache = str(int(engine.kv_cache_gib * 1024**3))
    eager = ["--enforce-eager"] if engine.eager else []
    return ["--dtype", "bfloat16", "--kv-cache-memory-bytes", cache, *eager]


def run(settings: Settings) -> None:
    """Become the engine: this process is replaced, so its id stays the component's."""
    arguments, env = command(settings), environment()
    home().make()
    os.chdir(home().root)
    sys.stdout.flush()
    os.execve(arguments[0], arguments, env)  # noqa: S606 -- a fixed argument list, no shell
