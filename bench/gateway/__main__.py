"""``python -m bench.gateway``: ours with everything on, ours bare, the floor and the peers, side by side in one run.

Each process is pinned to one core, the stand-in engine and the load (wrk, Debian package) to the other. Rounds are
interleaved, so that what else happens on the machine hits all alike; figures are medians over the rounds, ratios are of
this run. Peers run bare, and only when their place is given:

* ``--litellm PYTHON``: an environment with ``litellm[proxy]==1.106.2`` and, for the router, ``vllm-router==0.1.17``
* ``--portkey NODE_MODULES``: of ``npm install @portkey-ai/gateway@1.15.2`` with the overrides ``@hono/node-server`` 1.13.8
  and ``hono`` 4.9.7 (else its streams fail)
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from bench.gateway import targets
from bench.gateway.bodies import KINDS, body
from bench.gateway.load import Figures, Target, measure, measure_streams, middle, rss_mib

CHUNKS = 120
Start = Callable[[ExitStack, str], Target]


def _home(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kakehashi-bench-")))


def starters(litellm: str | None, portkey: str | None) -> list[Start]:
    """How each target is started."""
    found: list[Start] = [
        targets.floor,
        lambda stack, upstream: targets.start_gateway(stack, _home(stack), upstream),
        lambda stack, upstream: targets.parts(stack, _home(stack), upstream, "ours, bare"),
    ]
    if litellm:
        found.append(lambda stack, upstream: targets.litellm(stack, _home(stack), upstream, litellm))
        if (Path(litellm).parent / "vllm-router").exists():
            found.append(lambda stack, upstream: targets.vllm_router(stack, upstream, litellm))
    if portkey:
        found.append(lambda stack, upstream: targets.portkey(stack, upstream, portkey))
    return found


@contextmanager
def started(litellm: str | None, portkey: str | None, pace_ms: float = 0) -> Iterator[list[Target]]:
    with ExitStack() as stack:
        upstream = targets.standin(stack, chunks=CHUNKS, pace_ms=pace_ms)
        found = [start(stack, upstream) for start in starters(litellm, portkey)]
        for target in found:
            measure(target, body("short"), 4, 2.0)  # warm
        yield found


@click.group(invoke_without_command=True)
@click.option("--litellm", help="Python of an environment with litellm[proxy].")
@click.option("--portkey", help="node_modules that hold @portkey-ai/gateway.")
@click.option("--clients", default="1,16,64,256", show_default=True, help="How many at once, in turn.")
@click.option("--kinds", default=",".join(KINDS), show_default=True, help="Which requests.")
@click.option("--seconds", default=3.0, show_default=True, help="Length of one round.")
@click.option("--rounds", default=3, show_default=True, help="Rounds per figure, interleaved.")
@click.pass_context
def main(
    context: click.Context,
    litellm: str | None,
    portkey: str | None,
    clients: str,
    kinds: str,
    seconds: float,
    rounds: int,
) -> None:
    """Whole answers; see the subcommands for streams and memory."""
    context.obj = (litellm, portkey)
    if context.invoked_subcommand:
        return
    with started(litellm, portkey) as found:
        for kind in kinds.split(","):
            for count in (int(text) for text in clients.split(",")):
                taken: dict[str, list[Figures]] = {target.name: [] for target in found}
                for _ in range(rounds):
                    for target in found:
                        taken[target.name].append(measure(target, body(kind), count, seconds))
                _print(kind, count, {name: middle(figures) for name, figures in taken.items()})


def _print(kind: str, count: int, found: dict[str, Figures]) -> None:
    floor = found["floor"]
    for name, f in found.items():
        added = f"p50 {f.p50:8.2f} (+{f.p50 - floor.p50:.2f}) p95 {f.p95:8.2f} p99 {f.p99:8.2f} (+{f.p99 - floor.p99:.2f}) ms"
        ratio = " ".join(f"x{f.rate / found[peer].rate:.2f} {peer}" for peer in ("litellm", "portkey") if peer in found)
        errors = f" ERRORS {f.errors}" if f.errors else ""
        click.echo(f"{kind:5} {count:3} {name:11} {f.rate:7.0f}/s {f.cpu_us:7.0f} us CPU {added} {ratio}{errors}")


@main.command()
@click.option("--clients", default="16,500", show_default=True)
@click.option("--pace", default=20.0, show_default=True, help="Milliseconds between chunks.")
@click.option("--rounds", default=2, show_default=True)
@click.pass_obj
def streams(obj: tuple[str | None, str | None], clients: str, pace: float, rounds: int) -> None:
    """Paced streams: CPU per chunk, time to the first text, behaviour with many at once."""
    text = body("short", stream=True)
    with started(*obj, pace_ms=pace) as found:
        for target in found:
            measure_streams(target, text, 8, 1, CHUNKS)
        for count in (int(number) for number in clients.split(",")):
            for _ in range(rounds):
                for target in found:
                    s = measure_streams(target, text, count, 1, CHUNKS)
                    told = f"{s.cpu_us:7.1f} us CPU a chunk, {s.rate:7.0f} chunks/s, {rss_mib(target.pid):5.0f} MiB"
                    first = f"first text p50 {s.ttft_p50:7.1f} p99 {s.ttft_p99:7.1f} ms"
                    click.echo(f"paced {count:3} {target.name:11} {told}, {first}, broken {s.broken}")


@main.command()
@click.option("--seconds", default=1800.0, show_default=True)
@click.option("--step", default=60.0, show_default=True, help="Seconds between two looks at the memory.")
def soak(seconds: float, step: float) -> None:
    """Ours with everything on under load for long: memory after each step must stay flat."""
    with ExitStack() as stack:
        target = targets.start_gateway(stack, _home(stack), targets.standin(stack))
        click.echo(f"started: {rss_mib(target.pid):.0f} MiB")
        total = 0.0
        for number in range(round(seconds / step)):
            kind = KINDS[number % 2]  # short chats and 4 kB in turn
            f = measure(target, body(kind), 32, step * 0.8)
            s = measure_streams(target, body("short", stream=True), 32, max(1, round(step / 12)), CHUNKS)
            total += f.rate * step * 0.8
            told = f"{(number + 1) * step:6.0f} s {total:9.0f} whole answers {rss_mib(target.pid):5.0f} MiB"
            click.echo(f"{told} {f.rate:6.0f}/s p99 {f.p99:6.1f} ms errors {f.errors} broken {s.broken}")


if __name__ == "__main__":
    main()
