"""Measures of one set: pure functions over rows and verdicts."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.guardrails.types import Guardrails, Verdict

DATA = Path(__file__).resolve().parents[2] / "tests" / "data" / "guardrails"
_IGNORED = frozenset(" \n\t\u3000・、,\u200b")  # separators inside a span need not be covered
_WORDS = ("INJECTION", "REGULATED_WORDING")


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@dataclass
class Spans:
    """Per type: spans wanted, hit with the right type, covered completely by anything; false findings; misses."""

    wanted: Counter[str] = field(default_factory=Counter)
    typed: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    negatives: int = 0
    negatives_hit: int = 0
    notes: list[str] = field(default_factory=list)


def measure_spans(data: Iterable[dict[str, Any]], scan: Callable[[str, str], Verdict]) -> Spans:
    """A span counts as typed when a finding of its type overlaps it, as covered when every character is masked."""
    result = Spans()
    for row in data:
        text, gold = row["text"], row["spans"]
        found = [f for f in scan(text, row.get("source", "user")).findings if f.type not in _WORDS]
        masked = {i for f in found for i in range(f.start, f.end)}
        missed = []
        for span in gold:
            type_, start, end = span["type"], span["start"], span["end"]
            typed = any(f.type == type_ and f.start < end and start < f.end for f in found)
            covered = all(i in masked or text[i] in _IGNORED for i in range(start, end))
            result.wanted[type_] += 1
            result.typed[type_] += typed
            result.covered[type_] += covered
            if not (typed and covered):
                missed.append(f"{type_} {text[start:end]!r} {'cut short' if typed else 'missed'}")
        false = [
            f for f in found if not any(f.type == s["type"] and f.start < s["end"] and s["start"] < f.end for s in gold)
        ]
        result.false.update(f.type for f in false)
        result.negatives += not gold
        result.negatives_hit += bool(found) and not gold
        if missed or false:
            wrong = [f"{f.type} {text[f.start : f.end]!r} {f.rule} {f.confidence}" for f in false]
            result.notes.append(f"{text!r}\n    missed: {missed}\n    false:  {wrong}")
    return result


def spans_table(result: Spans) -> list[str]:
    lines = [f"{'type':18} {'spans':>5} {'typed':>6} {'covered':>7} {'false':>5}"]
    for type_ in sorted(result.wanted | result.false):
        n = result.wanted[type_]
        typed, covered = (result.typed[type_] / n, result.covered[type_] / n) if n else (0.0, 0.0)
        lines.append(f"{type_:18} {n:5} {typed:6.3f} {covered:7.3f} {result.false[type_]:5}")
    n, hits, false = result.wanted.total(), result.typed.total(), result.false.total()
    lines.append(
        f"{'all':18} {n:5} {hits / n:6.3f} {result.covered.total() / n:7.3f} {false:5}   precision {hits / max(1, hits + false):.3f}"
        f", negative lines hit {result.negatives_hit}/{result.negatives}"
    )
    return lines


def labelled_table(
    data: list[dict[str, Any]], label: str, type_: str, scan: Callable[[str, str], Verdict], *, notes: bool
) -> list[str]:
    """Detection and blocking rates by language, of a set whose rows are yes or no."""
    counts: Counter[tuple[bool, str, str]] = Counter()
    lines: list[str] = []
    for row in data:
        verdict = scan(row["text"], row["source"])
        found = [f for f in verdict.findings if f.type == type_]
        key = (row[label], row["language"])
        counts[(*key, "n")] += 1
        counts[(*key, "found")] += bool(found)
        counts[(*key, "blocked")] += verdict.action == "block"
        if notes and bool(found) != row[label]:
            lines.append(
                f"    {'missed' if row[label] else 'false'} [{row['source']}] {row['text']!r} {[f.rule for f in found]}"
            )
    for wanted in (True, False):
        for language in ("ja", "en"):
            n = counts[wanted, language, "n"]
            if n:
                found, blocked = counts[wanted, language, "found"] / n, counts[wanted, language, "blocked"] / n
                lines.append(
                    f"{label if wanted else 'benign':10} {language} n={n:4} found {found:.3f} blocked {blocked:.3f}"
                )
    return lines


def milliseconds(guardrails: Guardrails, texts: list[str], rounds: int = 5) -> float:
    """CPU milliseconds per 1,000 characters, each text made new so that no cache helps."""
    guardrails.scan("".join(texts[:3]))
    begin, size = time.process_time(), 0
    for number in range(rounds):
        for text in texts:
            guardrails.scan(f"{text} {number}")
            size += len(text)
    return (time.process_time() - begin) / size * 1e6
