"""Prints the tables. See the package."""

from __future__ import annotations

import argparse

from bench.guardrails.measure import labelled_table, measure_spans, milliseconds, rows, spans_table
from bench.guardrails.perturb import CHANGES as PERTURBATIONS
from bench.guardrails.perturb import perturbed
from gateway.guardrails.policy import load_policy

SETS = ("dev", "heldout", "blind")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.guardrails", description="Recall and precision of the guardrails."
    )
    parser.add_argument("--set", choices=SETS, action="append", help="default: all")
    parser.add_argument("--perturb", action="store_true", help="also measure the sets written differently")
    parser.add_argument("--misses", action="store_true", help="print what was missed or found in vain")
    options = parser.parse_args()
    if options.misses and "blind" in (options.set or SETS):
        parser.error("the blind sets give totals only: name the others with --set dev --set heldout")
    guardrails = load_policy()

    def scan(text: str, source: str):  # type: ignore[no-untyped-def]
        return guardrails.scan(text, source=source)  # type: ignore[arg-type]

    for name in options.set or SETS:
        spans = measure_spans(rows(f"pii_{name}"), scan)
        print(f"\n== personal data, {name} ==", *spans_table(spans), *(spans.notes if options.misses else ()), sep="\n")
        for change, function in PERTURBATIONS.items() if options.perturb else ():
            changed = measure_spans(perturbed(rows(f"pii_{name}"), function), scan)
            print(f"{change:16} {spans_table(changed)[-1]}", *(changed.notes if options.misses else ()), sep="\n")
        for kind, label, type_ in (("injection", "attack", "INJECTION"), ("wording", "violation", "REGULATED_WORDING")):
            innocent = (
                [row | {"attack": False} for row in rows("benign_blind")]
                if (kind, name) == ("injection", "blind")
                else []
            )
            table = labelled_table([*rows(f"{kind}_{name}"), *innocent], label, type_, scan, notes=options.misses)
            print(f"\n== {kind}, {name} ==", *table, sep="\n")
    texts = ["\n".join(row["text"] for row in rows("injection_dev") if not row["attack"])[:2000], *long_texts()]
    print(f"\n{milliseconds(guardrails, texts):.2f} ms CPU per 1,000 characters")


def long_texts() -> list[str]:
    """The dev set as pages of about 2,000 characters."""
    pages, page = [], ""
    for row in rows("pii_dev"):
        page += row["text"] + "\n"
        if len(page) > 2000:
            pages.append(page)
            page = ""
    return pages


if __name__ == "__main__":
    main()
