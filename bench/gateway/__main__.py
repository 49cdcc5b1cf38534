"""``python -m bench.gateway``: a 4 kB Japanese chat request through the gateway (guardrails and audit on) and directly.

Rounds are interleaved, so that what else happens on the machine hits both; figures are medians over the rounds. With
``--litellm PYTHON`` (an environment that has ``litellm[proxy]``) the LiteLLM proxy runs side by side, bare.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from bench.gateway.load import Figures, Target, measure, middle

LITELLM_KEY = "sk-bench"  # it does not start without one
PORTS = {"standin": 18180, "gateway": 18181, "litellm": 18182}
# About 4 kB of UTF-8, with what the guardrails look for.
PARAGRAPH = (
    "お世話になっております。第一営業部の山田太郎です。先日ご相談いただいた設備資金の件、"
    "担当の佐藤様（携帯 090-1234-5678、メール sato@example.co.jp）と打ち合わせをいたしました。"
    "返済原資は来期の営業キャッシュフローを見込み、金利は年1.8%、期間7年で検討しております。"
    "ご住所は東京都千代田区丸の内1-2-3です。"
)
BODY: dict[str, object] = {
    "messages": [
        {"role": "system", "content": "あなたは銀行の法人営業を助ける担当者です。"},
        {"role": "user", "content": PARAGRAPH * 9 + "以上を要約してください。"},
    ],
    "max_tokens": 400,
}


@contextmanager
def _process(command: list[str], url: str, **environment: str) -> Iterator[int]:
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            for _ in range(600):
                if child.poll() is not None:
                    log.seek(0)
                    raise RuntimeError(f"{command} ended:\n{log.read().decode(errors='replace')[-3000:]}")
                if _answers(url):
                    break
                time.sleep(0.1)
            yield child.pid
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def start_gateway(stack: ExitStack, home: Path, standin: str) -> Target:
    environment = {"KAKEHASHI_HOME": str(home)}
    made = subprocess.run(
        [sys.executable, "-m", "kakehashi", "key", "create", "--name", "bench", "--rpm", "10000000", "--json"],
        env={**os.environ, **environment}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    root = f"http://127.0.0.1:{PORTS['gateway']}"
    command = [
        sys.executable,
        "-m",
        "kakehashi",
        "serve",
        "gateway",
        "--upstream",
        standin,
        "--port",
        str(PORTS["gateway"]),
    ]
    pid = stack.enter_context(_process(command, root + "/health/ready", **environment))
    return Target("gateway", root + "/v1", json.loads(made.stdout)["key"], "standin", pid)


def _litellm(stack: ExitStack, home: Path, standin: str, python: str) -> Target:
    config = home / "litellm.json"
    model = {"model": "openai/standin", "api_base": standin, "api_key": "x"}
    config.write_text(json.dumps({"model_list": [{"model_name": "standin", "litellm_params": model}]}))
    root = f"http://127.0.0.1:{PORTS['litellm']}"
    command = [str(Path(python).parent / "litellm"), "--config", str(config), "--port", str(PORTS["litellm"])]
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MASTER_KEY": LITELLM_KEY,
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    pid = stack.enter_context(_process(command, root + "/health/liveliness", **environment))
    return Target("litellm", root + "/v1", LITELLM_KEY, "standin", pid)


@click.command()
@click.option("--clients", default="1,16,64", show_default=True, help="How many at once, in turn.")
@click.option("--seconds", default=3.0, show_default=True, help="Length of one round.")
@click.option("--rounds", default=3, show_default=True, help="Rounds per figure, interleaved.")
@click.option("--stream", is_flag=True, help="Streamed answers.")
@click.option("--litellm", help="Python of an environment with litellm[proxy], to run it side by side.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def main(clients: str, seconds: float, rounds: int, stream: bool, litellm: str | None, as_json: bool) -> None:
    """Measure and print what the gateway adds."""
    body = {**BODY, "stream": stream}
    results: dict[int, dict[str, Figures]] = {}
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kakehashi-bench-")))
        standin = f"http://127.0.0.1:{PORTS['standin']}/v1"
        command = [sys.executable, "-m", "bench.gateway.standin", str(PORTS["standin"])]
        pid = stack.enter_context(_process(command, standin + "/models"))
        targets = [Target("direct", standin, "x", "standin", pid), start_gateway(stack, home, standin)]
        if litellm:
            targets.append(_litellm(stack, home, standin, litellm))
        for target in targets:
            asyncio.run(measure(target, body, 4, 1.0))  # warm up
        for count in (int(text) for text in clients.split(",")):
            taken: dict[str, list[Figures]] = {target.name: [] for target in targets}
            for _ in range(rounds):
                for target in targets:
                    taken[target.name].append(asyncio.run(measure(target, body, count, seconds)))
            results[count] = {name: middle(figures) for name, figures in taken.items()}
    if as_json:
        click.echo(json.dumps({n: {k: vars(f) for k, f in found.items()} for n, found in results.items()}))
        return
    click.echo(f"request {len(json.dumps(BODY, ensure_ascii=False).encode())} bytes, {'stream' if stream else 'whole'}")
    for count, found in results.items():
        _print(count, found)


def _print(count: int, found: dict[str, Figures]) -> None:
    direct = found["direct"]
    for name, f in found.items():
        added = (
            f" added p50 {f.p50 - direct.p50:6.2f} p99 {f.p99 - direct.p99:6.2f} ms" if f is not direct else " " * 34
        )
        ratio = f" rate x{f.rate / direct.rate:.3f}" if f is not direct else ""
        cpu = f" cpu {f.cpu_us:6.0f} us" if f.cpu_us is not None else ""
        errors = f" ERRORS {f.errors}" if f.errors else ""
        head = f"{count:4} clients {name:8} p50 {f.p50:7.2f} p99 {f.p99:7.2f} ms {f.rate:7.0f}/s"
        click.echo(f"{head}{cpu}{added}{ratio}{errors}")


if __name__ == "__main__":
    main()
