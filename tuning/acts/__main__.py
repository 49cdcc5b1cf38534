"""Commands: check, judge, train."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import numpy as np

from tuning.acts.tagger import ACTS, WEIGHTS
from tuning.acts.meetings import FOLDER, Labelled, load, problems
from tuning.acts.train import names, train


@click.group()
@click.option("--data", type=click.Path(path_type=Path, exists=True), default=FOLDER, show_default=True)
@click.pass_context
def acts(context: click.Context, data: Path) -> None:
    """The tagger of sentences in meetings."""
    context.obj = load(data)


@acts.command()
@click.pass_obj
def check(meetings: list[Labelled]) -> None:
    """Say what the labelled meetings hold; exit 1 when one is not well formed."""
    counted = Counter(s.act for m in meetings for s in m.spoken)
    click.echo(f"{len(meetings)} meetings, {counted.total()} lines: {dict(counted.most_common())}")
    wrong = [p for m in meetings for p in problems(m)]
    click.echo("\n".join(wrong), err=True)
    raise SystemExit(bool(wrong))


@acts.command()
@click.option("--folds", default=5, show_default=True)
@click.option("--errors", is_flag=True, help="List the lines that were tagged wrong.")
@click.pass_obj
def judge(meetings: list[Labelled], folds: int, errors: bool) -> None:
    """Precision and recall of each act on meetings that the tagger has not seen."""
    table = np.zeros((len(ACTS), len(ACTS)), dtype=int)
    for fold in range(folds):
        made = train([m for i, m in enumerate(meetings) if i % folds != fold])
        for meeting in meetings[fold::folds]:
            tags = made.tag([s.line for s in meeting.spoken], names(meeting))
            for spoken, tag in zip(meeting.spoken, tags, strict=True):
                best = max(tag, key=lambda a: tag[a])
                table[ACTS.index(spoken.act), ACTS.index(best)] += 1
                if errors and best != spoken.act:
                    click.echo(f"{meeting.name} {spoken.act} as {best} {tag[best]:.2f}: {spoken.line.text}")
    click.echo(f"{'':10}{'lines':>6}{'precision':>10}{'recall':>8}   taken for")
    for index, act in enumerate(ACTS):
        right, said, told = table[index, index], table[index].sum(), table[:, index].sum()
        wrong = {ACTS[i]: int(table[index, i]) for i in np.argsort(-table[index]) if i != index and table[index, i]}
        click.echo(f"{act:10}{said:6}{right / max(1, told):10.2f}{right / max(1, said):8.2f}   {wrong}")
    click.echo(f"right: {np.trace(table) / table.sum():.3f} of {table.sum()}")


@acts.command("train")
@click.option("--to", type=click.Path(path_type=Path), default=WEIGHTS, show_default=True)
@click.pass_obj
def train_command(meetings: list[Labelled], to: Path) -> None:
    """Train on all meetings and write the weights."""
    made = train(meetings)
    np.savez_compressed(to, **{n: getattr(made, n).astype(np.float16) for n in ("first", "second", "context")})
    click.echo(f"{to.name}: {to.stat().st_size / 1e6:.2f} MB from {len(meetings)} meetings")


if __name__ == "__main__":
    acts()
