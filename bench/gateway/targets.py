"""The processes that are measured, each pinned to one core (0), the stand-in engine to the other (1)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.gateway.load import Target

_READY_S = 120.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def process(command: Sequence[str], url: str, *, core: int = 0, **environment: str) -> Iterator[int]:
    """A process once it answers at ``url`` (whatever it says). Raises RuntimeError with its log when it ends before."""
    with tempfile.TemporaryFile() as log:
        pinned = ["taskset", "-c", str(core), *command]
        child = subprocess.Popen(pinned, env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            end = time.monotonic() + _READY_S
            while not _answers(url):
                if child.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    raise RuntimeError(f"{command} is not there:\n{log.read().decode(errors='replace')[-3000:]}")
                time.sleep(0.05)
            yield child.pid
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(40)
            except subprocess.TimeoutExpired:
                child.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def standin(stack: ExitStack, *, chunks: int = 120, pace_ms: float = 0) -> str:
    """Start the stand-in engine; its base URL."""
    root = f"http://127.0.0.1:{(port := free_port())}/v1"
    command = [
        sys.executable,
        "-m",
        "bench.gateway.standin",
        str(port),
        "--chunks",
        str(chunks),
        "--pace",
        str(pace_ms),
    ]
    stack.enter_context(process(command, root + "/models", core=1))
    return root


def start_gateway(stack: ExitStack, home: Path, upstream: str, name: str = "kakehashi") -> Target:
    """Ours as anyone runs it: keys, limits, guardrails and audit on."""
    key = _key(home, "--rpm", "10000000", "--tpm", "1000000000")
    port, admin = free_port(), free_port()
    command = [sys.executable, "-m", "kakehashi", "serve", "gateway", "--upstream", upstream, "--port", str(port)]
    environment = {"KAKEHASHI_HOME": str(home), "KAKEHASHI_GATEWAY__ADMIN_PORT": str(admin)}
    root = f"http://127.0.0.1:{port}"
    pid = stack.enter_context(process(command, root + "/health/ready", **environment))
    return Target(name, root + "/v1", pid, {"authorization": f"Bearer {key}"})


def parts(stack: ExitStack, home: Path, upstream: str, name: str, *which: str) -> Target:
    """Ours with only the parts named: ``limits``, ``guardrails``, ``audit``."""
    key = _key(home, *(("--rpm", "10000000", "--tpm", "1000000000") if "limits" in which else ()))
    port = free_port()
    command = [sys.executable, "-m", "bench.gateway.parts", str(port), *which]
    environment = {"KAKEHASHI_HOME": str(home), "KAKEHASHI_GATEWAY__UPSTREAM": upstream}
    root = f"http://127.0.0.1:{port}"
    pid = stack.enter_context(process(command, root + "/health/ready", **environment))
    return Target(name, root + "/v1", pid, {"authorization": f"Bearer {key}"})


def _key(home: Path, *limits: str) -> str:
    command = [sys.executable, "-m", "kakehashi", "key", "create", "--name", "bench", *limits, "--json"]
    environment = {**os.environ, "KAKEHASHI_HOME": str(home)}
    made = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    key: str = json.loads(made.stdout)["key"]
    return key


def floor(stack: ExitStack, upstream: str) -> Target:
    root = f"http://127.0.0.1:{(port := free_port())}/v1"
    command = [sys.executable, "-m", "bench.gateway.floor", str(port), upstream]
    return Target("floor", root, stack.enter_context(process(command, root + "/models")))


def litellm(stack: ExitStack, home: Path, upstream: str, python: str) -> Target:
    """LiteLLM's proxy, one worker, no database: no keys but the master's, no limits, no guardrails, no records."""
    config = home / "litellm.json"
    model = {"model": "openai/standin", "api_base": upstream, "api_key": "x"}
    config.write_text(json.dumps({"model_list": [{"model_name": "standin", "litellm_params": model}]}))
    root = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(Path(python).parent / "litellm"), "--config", str(config), "--port", str(port)]
    key = "sk-bench"  # it does not start without one
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MASTER_KEY": key,
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    pid = stack.enter_context(process(command, root + "/health/liveliness", **environment))
    return Target("litellm", root + "/v1", pid, {"authorization": f"Bearer {key}"})


def portkey(stack: ExitStack, upstream: str, modules: str) -> Target:
    """Portkey's open gateway (``npm install @portkey-ai/gateway`` beside ``modules``), without plugins."""
    root = f"http://127.0.0.1:{(port := free_port())}"
    script = Path(modules) / "@portkey-ai/gateway/build/start-server.js"
    command = ["node", str(script), f"--port={port}", "--headless"]
    pid = stack.enter_context(process(command, root + "/", NODE_ENV="production"))
    headers = {"authorization": "Bearer x", "x-portkey-provider": "openai", "x-portkey-custom-host": upstream}
    return Target("portkey", root + "/v1", pid, headers)


def vllm_router(stack: ExitStack, upstream: str, python: str) -> Target:
    """vLLM's router in Rust: balances and passes on, nothing else."""
    root = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(Path(python).parent / "vllm-router"), "--worker-urls", upstream.removesuffix("/v1")]
    options = ["--host", "127.0.0.1", "--port", str(port), "--prometheus-port", str(free_port())]
    pid = stack.enter_context(process([*command, *options], root + "/health"))
    return Target("vllm-router", root + "/v1", pid)
