"""Minutes of the labelled meetings (``tuning/data/meetings``), each with a tagger that has not seen it.

    python -m bench.minutes.labelled [--rules-only]

The meetings named d to g were never shown to the author of the rules; those named a to c partly were.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from apps.common.tagging import Tagger
from apps.minutes import model
from apps.minutes.pipeline import Request, make_minutes
from apps.minutes.text import tags
from tests.helpers.gold import Gold, Score, score
from tuning.tagging import meetings
from tuning.tagging.train import train

FOLDS = 4
SECTIONS = {"d": "decisions", "a": "actions", "q": "open_questions", "x": "dissent"}


def as_gold(meeting: meetings.Meeting) -> Gold:
    """A labelled meeting as the scorer takes it: about seven characters a second, fifteen in English."""
    rate, clock, segments = 15 if meeting.language == "en" else 7, 0.0, []
    for number, spoken in enumerate(meeting.spoken, 1):
        end = clock + len(spoken.line.text) / rate
        segments.append(
            model.Segment(
                id=f"s{number:04d}", start=round(clock, 2), end=round(end, 2), speaker=spoken.line.group,
                speaker_id=spoken.line.group, text=spoken.line.text,
            )
        )  # fmt: skip
        clock = end + 0.4
    reference: dict[str, Any] = {section: [] for section in SECTIONS.values()}
    for item in meeting.references:
        lines = [s.id for s, spoken in zip(segments, meeting.spoken, strict=True) if item.id in spoken.items]
        entry = {"lines": lines, "text": item.text, "task": item.text, "owner": item.owner, "due": item.due or None}
        reference[SECTIONS[item.id[0]]].append(entry)
    about = model.Meeting(title=meeting.title, date=meeting.date, participants=list(meeting.participants))
    transcript = model.Transcript(language=meeting.language, segments=segments)
    return Gold(meeting.name, reference, transcript, about, {s.id: s.id for s in segments})


def measure(part: list[tuple[meetings.Meeting, Tagger | None]]) -> dict[str, Score]:
    """Counts over meetings, each made with its own tagger; None leaves the rules alone."""
    totals = {section: Score() for section in SECTIONS.values()}
    for meeting, tagger in part:
        tags.use(tagger)
        gold = as_gold(meeting)
        with tempfile.TemporaryDirectory() as work:
            made = make_minutes(gold.transcript, Request(gold.meeting), client=None, work=Path(work))
        for section, total in totals.items():
            total.add(score(gold, made.minutes, section))
    return totals


@click.command()
@click.option("--rules-only", is_flag=True, help="Without the tagger.")
def main(rules_only: bool) -> None:
    """Precision and recall of decisions, tasks, open questions and dissent."""
    found = meetings.load()
    texts = [meeting.labelled() for meeting in found]
    taggers: list[Tagger | None] = [None] * FOLDS
    if not rules_only:
        taggers = [train([t for i, t in enumerate(texts) if i % FOLDS != fold]) for fold in range(FOLDS)]
    pairs = [(meeting, taggers[i % FOLDS]) for i, meeting in enumerate(found)]
    for name, letters in (("a to c", "abc"), ("d to g", "defg")):
        part = [(meeting, tagger) for meeting, tagger in pairs if meeting.name[3] in letters]
        totals = measure(part)
        click.echo(f"{name}: {len(part)} meetings{', rules only' if rules_only else ''}")
        for section, total in totals.items():
            click.echo(
                f"  {section:15} {total.expected:4} expected {total.found:4} found  precision {total.precision:.2f} recall {total.recall:.2f}"
            )
        actions = totals["actions"]
        right = max(1, actions.right)
        click.echo(f"  of the tasks found: owner {actions.owners / right:.2f}, due date {actions.dues / right:.2f}")


if __name__ == "__main__":
    main()
