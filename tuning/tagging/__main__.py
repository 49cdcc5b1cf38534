"""Commands: check, judge, train."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import numpy as np

from kakehashi.paths import CHECKOUT
from tuning.tagging import briefs, meetings
from tuning.tagging.texts import Labelled
from tuning.tagging.train import train

WEIGHTS = {
    "acts": CHECKOUT / "apps" / "minutes" / "text" / "acts.npz",
    "roles": CHECKOUT / "apps" / "proposals" / "brief" / "roles.npz",
}
KIND = click.argument("kind", type=click.Choice(list(WEIGHTS)))
DATA = click.option("--data", type=click.Path(path_type=Path, exists=True), help="Folder [default: tuning/data/…].")


def load(kind: str, data: Path | None) -> list[Labelled]:
    if kind == "acts":
        return [meeting.labelled() for meeting in meetings.load(data or meetings.FOLDER)]
    return briefs.load(data or briefs.FOLDER)


@click.group()
def tagging() -> None:
    """The taggers: what each sentence of a meeting does, what each line of a brief is for."""


@tagging.command()
@KIND
@DATA
def check(kind: str, data: Path | None) -> None:
    """Say what the labelled texts hold; exit 1 when one is not well formed."""
    texts = load(kind, data)
    counted = Counter(label for text in texts for label in text.labels)
    click.echo(f"{len(texts)} texts, {counted.total()} lines: {dict(counted.most_common())}")
    wrong = [p for m in meetings.load(data or meetings.FOLDER) for p in meetings.problems(m)] if kind == "acts" else []
    click.echo("\n".join(wrong), err=True)
    raise SystemExit(bool(wrong))


@tagging.command()
@KIND
@DATA
@click.option("--folds", default=5, show_default=True)
@click.option("--errors", is_flag=True, help="List the lines that were tagged wrong.")
def judge(kind: str, data: Path | None, folds: int, errors: bool) -> None:
    """Precision and recall of each label on texts that the tagger has not seen."""
    texts = load(kind, data)
    labels = sorted({label for text in texts for label in text.labels})
    table = np.zeros((len(labels), len(labels)), dtype=int)
    for fold in range(folds):
        made = train([text for i, text in enumerate(texts) if i % folds != fold])
        for text in texts[fold::folds]:
            for line, label, tag in zip(text.lines, text.labels, made.tag(text.lines, text.names), strict=True):
                best = max(tag, key=lambda a: tag[a])
                table[labels.index(label), labels.index(best)] += 1
                if errors and best != label:
                    click.echo(f"{text.name} {label} as {best} {tag[best]:.2f}: {line.text}")
    _print(table, labels)


def _print(table: np.ndarray, labels: list[str]) -> None:  # type: ignore[type-arg]
    click.echo(f"{'':12}{'lines':>6}{'precision':>10}{'recall':>8}   taken for")
    for index, label in enumerate(labels):
        right, said, told = table[index, index], table[index].sum(), table[:, index].sum()
        wrong = {labels[i]: int(table[index, i]) for i in np.argsort(-table[index]) if i != index and table[index, i]}
        click.echo(f"{label:12}{said:6}{right / max(1, told):10.2f}{right / max(1, said):8.2f}   {wrong}")
    click.echo(f"right: {np.trace(table) / table.sum():.3f} of {table.sum()}")


@tagging.command("train")
@KIND
@DATA
@click.option("--to", type=click.Path(path_type=Path), help="File [default: where the app looks for it].")
def train_command(kind: str, data: Path | None, to: Path | None) -> None:
    """Train on all texts and write the weights."""
    texts, path = load(kind, data), to or WEIGHTS[kind]
    train(texts).save(path)
    click.echo(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB from {len(texts)} texts")


if __name__ == "__main__":
    tagging()
