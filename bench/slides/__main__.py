"""``python -m bench.slides [--json FILE]``: rendering measured without a model.

``seconds``: one deck to .pptx, and its look and file checks. ``lines``: share of text boxes whose estimated number of
lines equals the one LibreOffice draws (``under``: estimated fewer, which is how text runs over). ``defects``: seeded
defects that the look checks find by the right rule, and findings on the sound deck.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from lxml import etree
from pptx import Presentation

from apps.proposals import pipeline
from apps.proposals.checks import check_file, check_look
from apps.proposals.checks.shapes import Reader, Shape
from apps.proposals.model import Deck, Slide
from apps.proposals.pipeline import Models, Request
from apps.proposals.render import render
from apps.proposals.render.measure import wrap
from apps.proposals.render.preview import to_pdf
from bench.slides.defects import SEEDS

BRIEF = Path(__file__).parents[2] / "tests" / "data" / "briefs" / "typed" / "keys.yaml"
COUNTS, REPEATS = (14, 30), 3


def deck_of(count: int, folder: Path) -> Deck:
    """The deck of a real brief, its inner slides repeated until there are ``count``."""
    made = pipeline.build(Request(BRIEF, today=date(2026, 11, 23)), Models(), work=folder).deck
    inner = made.slides[1:-1]
    more = [_again(inner[n % len(inner)], n) for n in range(max(0, count - len(made.slides)))]
    return made.model_copy(update={"slides": [*made.slides[:-1], *more, made.slides[-1]][:count]})


def _again(slide: Slide, number: int) -> Slide:
    return slide.model_copy(update={"id": f"{slide.id}-{number}", "title": f"{slide.title}（{number + 1}）"})


def seconds(deck: Deck, folder: Path) -> dict[str, float]:
    """Medians of three runs."""
    times: dict[str, list[float]] = {"render": [], "look": [], "file": []}
    for _ in range(REPEATS):
        started = time.perf_counter()
        result = render(deck, folder / "deck.pptx")
        times["render"].append(time.perf_counter() - started)
        started = time.perf_counter()
        check_look(result.path, pages=result.pages)
        times["look"].append(time.perf_counter() - started)
        started = time.perf_counter()
        check_file(result.path)
        times["file"].append(time.perf_counter() - started)
    return {name: round(statistics.median(found), 2) for name, found in times.items()}


def estimated_lines(shape: Shape) -> int:
    return sum(
        len(wrap(p.text, shape.inner.w - p.indent, p.size * shape.scale, shape.face, bold=any(r.bold for r in p.runs)))
        for p in shape.paragraphs
        if p.text.strip()
    )


def drawn_lines(shape: Shape, words: list[tuple[float, float, float]]) -> int:
    """Rows of words (x, y, height) whose middle lies in the shape's text area."""
    box = shape.box
    rows: list[float] = []
    for x, y, _ in sorted(words, key=lambda word: word[1]):
        inside = box.x - 1 <= x <= box.right + 1 and box.y - 4 <= y <= box.bottom + 4
        if inside and (not rows or y - rows[-1] > 0.5 * min(p.size for p in shape.paragraphs if p.text.strip())):
            rows.append(y)
    return len(rows)


def words_of(pdf: Path) -> list[list[tuple[float, float, float]]]:
    """Per page: middle and height of each word, in points, as poppler reads them."""
    tool = shutil.which("pdftotext") or "pdftotext"
    done = subprocess.run([tool, "-bbox", str(pdf), "-"], check=True, capture_output=True, timeout=120)
    root = etree.fromstring(done.stdout, etree.XMLParser(recover=True))
    pages = []
    for page in root.iter("{*}page"):
        boxes = [[float(w.get(k)) for k in ("xMin", "yMin", "xMax", "yMax")] for w in page.iter("{*}word")]
        pages.append([((x0 + x1) / 2, (y0 + y1) / 2, y1 - y0) for x0, y0, x1, y1 in boxes])
    return pages


def plain_boxes(shapes: list[Shape]) -> Iterator[Shape]:
    """Text shapes that no other text stands on (a card with a badge has words of both)."""
    texts = [s for s in shapes if s.kind == "text" and s.has_text and not s.vertical]
    for shape in texts:
        if not any(other is not shape and shape.box.common(other.box) > 4 for other in texts):
            yield shape


def lines(deck: Deck, folder: Path) -> dict[str, float]:
    """How well the estimate meets LibreOffice."""
    path = render(deck, folder / "lines.pptx").path
    prs = Presentation(str(path))
    reader, pages = Reader(prs), words_of(to_pdf(path, folder))
    pairs = [
        (estimated_lines(shape), drawn_lines(shape, words))
        for number, (slide, words) in enumerate(zip(prs.slides, pages, strict=True), 1)
        for shape in plain_boxes(reader.facts(slide, number).shapes)
    ]
    known = [(a, b) for a, b in pairs if b]
    return {
        "boxes": len(known),
        "equal": round(sum(a == b for a, b in known) / max(1, len(known)), 3),
        "under": round(sum(a < b for a, b in known) / max(1, len(known)), 3),
    }


def defects(deck: Deck, folder: Path) -> dict[str, object]:
    """Seeds found by their rule, and what the checks say of the deck before any was planted."""
    result = render(deck, folder / "sound.pptx")
    sound = [f for f in check_look(result.path, pages=result.pages) if f.severity != "info"]
    missed = []
    for seed in SEEDS:
        prs = Presentation(str(result.path))
        seed.plant(prs)
        prs.save(str(folder / "seeded.pptx"))
        if seed.rule not in {f.rule for f in check_look(folder / "seeded.pptx", pages=result.pages)}:
            missed.append(seed.name)
    return {"seeded": len(SEEDS), "caught": len(SEEDS) - len(missed), "missed": missed, "on_sound_deck": len(sound)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.slides", description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        decks = {count: deck_of(count, folder / "work") for count in COUNTS}
        found = {
            "seconds": {count: seconds(deck, folder) for count, deck in decks.items()},
            "lines": lines(decks[COUNTS[0]], folder),
            "defects": defects(decks[COUNTS[0]], folder),
        }
    print(json.dumps(found, ensure_ascii=False, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, ensure_ascii=False, indent=1), "utf-8")


if __name__ == "__main__":
    main()
