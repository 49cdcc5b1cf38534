"""Names of persons, Japanese and Latin."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.guardrails.detectors import person_en, person_ja
from gateway.guardrails.view import Hit, View


def detect(view: View) -> Iterator[Hit]:
    yield from person_ja.detect(view)
    yield from person_en.detect(view)
