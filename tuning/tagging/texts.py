"""A labelled text of either kind, as the trainer takes it."""

from __future__ import annotations

from dataclasses import dataclass

from apps.common.tagging import Line


@dataclass(frozen=True)
class Labelled:
    """Lines with a label each. ``names``: words that only name somebody in it."""

    name: str
    lines: tuple[Line, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...] = ()
