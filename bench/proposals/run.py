"""Decks from all test briefs, measured: ``python -m bench.proposals.run [--gateway URL --key-file F] [--json FILE]``.

Without a gateway the decks are made by rules alone. ``traced``: figures with a source or a shown calculation, over all
figures. ``invented``: model sentences on slides that the verifier, run again on the finished deck, does not accept.
``complete``: decks with every slide of the contract (those whose brief asks for fewer count by that number).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from apps.common.client import GatewayClient, read_key
from apps.proposals import pipeline
from apps.proposals.pipeline import Models, Request
from apps.proposals.render import render
from apps.proposals.story.skeleton import CORE
from apps.proposals.writing.model_text import known_text, links, offered
from apps.proposals.writing.verify import verify
from apps.proposals.writing.wording import GuardScanner
from kakehashi.errors import BadInput

BRIEFS = Path(__file__).parents[2] / "tests" / "data" / "briefs"


@dataclass
class Row:
    """One deck."""

    split: str
    brief: str
    slides: int
    complete: bool
    figures: int
    untraced: int
    model_sentences: int
    rejected: int
    invented: int
    layout_findings: int
    seconds: float
    render_s: float
    tokens: int


def measure(path: Path, models: Models) -> Row | None:
    """One deck made and rendered; None when the brief is refused (a brief made to be refused)."""
    request = Request(path)
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        try:
            draft = pipeline.build(request, models, work=Path(folder))
        except BadInput:
            return None
        seconds = time.monotonic() - started
        started = time.monotonic()
        result = render(draft.deck, Path(folder) / "deck.pptx")
        render_s = time.monotonic() - started
    prepared = pipeline.prepare(request)
    known, numbers = known_text(prepared.context), offered(prepared.context)
    worded = [b.text for s in draft.deck.slides for b in s.body if b.origin] + [
        s.title for s in draft.deck.slides if s.origin
    ]
    invented = [
        t
        for t in worded
        if not verify(
            _masked(t, numbers), known, numbers, draft.deck.language, limit=120, links=links(prepared.context)
        ).text
    ]
    kinds = {s.kind for s in draft.deck.slides}
    wanted = prepared.reading.brief.slide_count or len(CORE)
    meta = draft.report.meta
    return Row(
        path.parent.name,
        path.name,
        len(draft.deck.slides),
        kinds >= set(CORE) if wanted >= len(CORE) else len(draft.deck.slides) == wanted,
        len(draft.report.numbers),
        sum(n.status == "untraced" for n in draft.report.numbers),
        len(worded),
        int(meta["rejected"]),
        len(invented),
        sum(f.severity != "info" for f in result.findings),
        round(seconds, 1),
        round(render_s, 2),
        sum(meta["tokens"].values()),
    )


def _masked(text: str, numbers: dict) -> str:  # type: ignore[type-arg]
    """Figures back to slots, as the model wrote them."""
    for name, number in sorted(numbers.items(), key=lambda pair: -len(pair[1].raw)):
        text = text.replace(number.raw, f"{{{{{name}}}}}")
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gateway")
    parser.add_argument("--key-file", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    models = Models()
    if options.gateway:
        key = read_key(options.key_file)
        client = GatewayClient(options.gateway, key, model=options.model, app="proposals", timeout_s=180)
        models = Models(client, GuardScanner(options.gateway, key))
    rows = [row for path in sorted(BRIEFS.rglob("*.*")) if options.only in str(path) and (row := measure(path, models))]
    for row in rows:
        print(
            f"{row.split:8} {row.brief:26} slides {row.slides:2} figures "
            f"{row.figures:3} untraced {row.untraced} model {row.model_sentences:2} "
            f"rejected {row.rejected:2} invented {row.invented} layout "
            f"{row.layout_findings} {row.seconds:6.1f} s render {row.render_s} s tokens {row.tokens}"
        )
    for split in sorted({r.split for r in rows}):
        mine = [r for r in rows if r.split == split]
        figures, untraced = sum(r.figures for r in mine), sum(r.untraced for r in mine)
        print(
            f"{split}: {len(mine)} decks, complete "
            f"{sum(r.complete for r in mine)}/{len(mine)}, figures traced {1 - untraced / max(1, figures):.3f}, "
            f"invented {sum(r.invented for r in mine)}/{sum(r.model_sentences for r in mine)}, "
            f"median {statistics.median(r.seconds for r in mine):.1f} s, "
            f"render median {statistics.median(r.render_s for r in mine):.2f} s"
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in rows], ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
