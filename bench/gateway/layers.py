"""``python -m bench.gateway.layers``: CPU microseconds a request that each part of the gateway costs.

From the floor (``bench.gateway.floor``) up: keys with the checks of fields and models, then limits, guardrails, audit,
each on top of the ones before. Rounds are interleaved, figures are medians. CPU time is steadier than the clock on a
machine that does other things; still, run it on a quiet one.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from bench.gateway import targets
from bench.gateway.bodies import KINDS, body
from bench.gateway.load import Figures, Streams, Target, measure, measure_streams, middle

CHUNKS = 120
_CLIENTS = 16
_LAYERS = {
    "keys": (),
    "+limits": ("limits",),
    "+guardrails": ("limits", "guardrails"),
    "+audit": ("limits", "guardrails", "audit"),
}


def start(stack: ExitStack, upstream: str, only: str = "") -> list[Target]:
    found = [targets.floor(stack, upstream)]
    for name, parts in _LAYERS.items():
        if not only or name in only.split(","):
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kakehashi-bench-")))
            found.append(targets.parts(stack, home, upstream, name, *parts))
    return found


@click.command()
@click.option("--kinds", default=",".join(KINDS), show_default=True)
@click.option("--seconds", default=2.0, show_default=True, help="Length of one round.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--only", default="", help="These layers only, e.g. keys,+audit.")
@click.option("--streams/--no-streams", default=True, show_default=True)
def main(kinds: str, seconds: float, rounds: int, only: str, streams: bool) -> None:
    """Measure and print the table."""
    with ExitStack() as stack:
        upstream = targets.standin(stack, chunks=CHUNKS)
        found = start(stack, upstream, only)
        for kind in kinds.split(","):
            _whole(found, kind, seconds, rounds)
        if streams:
            for kind in kinds.split(","):
                _streams(found, kind, rounds)
    if streams:
        with ExitStack() as stack:
            found = start(stack, targets.standin(stack, chunks=CHUNKS, pace_ms=20), only)
            _paced(found, rounds)


def _whole(found: list[Target], kind: str, seconds: float, rounds: int) -> None:
    for target in found:
        measure(target, body(kind), _CLIENTS, 1.0)
    taken: dict[str, list[Figures]] = {target.name: [] for target in found}
    for _ in range(rounds):
        for target in found:
            taken[target.name].append(measure(target, body(kind), _CLIENTS, seconds))
    for name, figures in taken.items():
        f = middle(figures)
        click.echo(f"{kind:6} whole    {name:12} {f.cpu_us:8.0f} us CPU {f.rate:7.0f}/s errors {f.errors}")


def _streams(found: list[Target], kind: str, rounds: int) -> None:
    for target in found:
        _print_streams(f"{kind:6} streamed", target, [_stream(target, kind, 5) for _ in range(rounds)])


def _paced(found: list[Target], rounds: int) -> None:
    for target in found:
        _print_streams("short  paced   ", target, [_stream(target, "short", 1) for _ in range(rounds)])


def _stream(target: Target, kind: str, each: int) -> Streams:
    return measure_streams(target, body(kind, stream=True), _CLIENTS, each, CHUNKS)


def _print_streams(what: str, target: Target, taken: list[Streams]) -> None:
    s = sorted(taken, key=lambda streams: streams.cpu_us)[len(taken) // 2]
    told = f"{s.cpu_us:8.1f} us CPU a chunk, first text {s.ttft_p50:6.1f} ms"
    click.echo(f"{what} {target.name:12} {told} broken {sum(t.broken for t in taken)}")


if __name__ == "__main__":
    main()
