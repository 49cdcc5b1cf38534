"""The verifier: what a statement claims must be in the lines it cites. By code, for rules, model and people alike.

Names, dates, numbers and the main words are compared after normalising; a statement that turns yes into no is caught.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from apps.common.japanese.dates import find_dates, missing_dates
from apps.common.japanese.normalise import fold, is_japanese
from apps.common.japanese.numbers import find_quantities
from apps.common.japanese.words import content_words
from apps.minutes.text.people import People
from apps.minutes.text.reasons import Reason

COVERED = 0.6  # share of the statement's character pairs that the cited lines must contain
UNSURE = 0.35  # speech recognition's confidence under which a line needs a listener

_NEGATIVE = re.compile(
    r"ない|ません|ず(?:に|、|$)|見送|却下|否決|中止|延期|やめ|不要|なし|禁止|反対|\b(?:not|no|never|reject\w*|cancel\w*|against|without|drop\w*)\b|n't",
    re.IGNORECASE,
)


def verify(statement: str, cited: Sequence[str], *, base: date | None, people: People) -> list[Reason]:
    """Reasons why the cited lines do not support the statement; empty when they do."""
    evidence = "\n".join(cited)
    if not evidence.strip():
        return [Reason("no_evidence")]
    return [
        *_names(statement, evidence, people),
        *_dates(statement, evidence, base),
        *_numbers(statement, evidence, base),
        *_wording(_without_values(statement, base), evidence),
    ]


def _without_values(text: str, base: date | None) -> str:
    """Without dates and numbers, which are compared by value: 12月2日 and 来週水曜 share no character."""
    spans = [(m.start, m.end) for m in find_dates(text, base)] + [(q.start, q.end) for q in find_quantities(text)]
    return "".join(c for i, c in enumerate(text) if not any(a <= i < b for a, b in spans))


def _names(statement: str, evidence: str, people: People) -> list[Reason]:
    known = {n.name for n in people.mentions(evidence)}
    return [
        Reason("name", n.name)
        for n in people.mentions(statement)
        if n.name not in known and fold(statement[n.start : n.end]) not in fold(evidence)
    ]


def _dates(statement: str, evidence: str, base: date | None) -> list[Reason]:
    found = missing_dates(statement, evidence.split("\n"), base)
    return [Reason("date", m.text) for m in found if fold(m.text) not in fold(evidence)]


def _numbers(statement: str, evidence: str, base: date | None) -> list[Reason]:
    dates = [(m.start, m.end) for m in find_dates(statement, base)]
    known = find_quantities(evidence)
    return [
        Reason("number", q.text) for q in find_quantities(statement, skip=dates) if not any(q.same(k) for k in known)
    ]


def _wording(statement: str, evidence: str) -> list[Reason]:
    if support(statement, evidence) < COVERED:
        return [Reason("wording")]
    if bool(_NEGATIVE.search(statement)) != bool(_NEGATIVE.search(evidence)) and _NEGATIVE.search(statement):
        return [Reason("negation")]
    return []


def support(statement: str, evidence: str) -> float:
    """How much of the statement's wording the evidence has, 0 to 1: content words and character pairs."""
    own, given = content_words(statement), content_words(evidence)
    folded = fold(evidence)
    words = sum(w in given or fold(w) in folded for w in own) / len(own) if own else 1.0
    return max(words, _pairs(fold(statement), folded)) if is_japanese(statement) else words


def _pairs(statement: str, evidence: str) -> float:
    pairs = [statement[i : i + 2] for i in range(len(statement) - 1)]
    return sum(p in evidence for p in pairs) / len(pairs) if pairs else 1.0
