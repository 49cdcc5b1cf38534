"""What both readers (YAML and text) collect before it becomes a Brief: pieces of text and figures with their place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apps.proposals.evidence.labels import Role


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of the brief: the field it belongs to, its words, and where it stands (``needs[1]``, ``line 12``).

    ``heading``: the brief's own word for a section that is no known field (``field`` is then ``other``).
    """

    field: str
    text: str
    locator: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class NumberItem:
    """A figure of the brief: ``raw`` as written with its unit, ``value`` plain, ``role`` before or after."""

    label: str
    raw: str
    value: float
    unit: str
    locator: str
    period: str = ""
    role: Role = ""
    change: int = 0
    approx: bool = False


@dataclass
class Collected:
    """Everything found, field by field.

    ``wrong`` holds values whose type does not fit: (field, value, locator);
    ``assumed_needs``: no sentence speaks of a need, so what is told of the client was taken for one;
    ``withheld``: remarks that the client must not see, with their place.
    """

    items: list[Item] = field(default_factory=list)
    numbers: list[NumberItem] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[tuple[str, Any, str]] = field(default_factory=list)
    empty_numbers: list[str] = field(default_factory=list)
    assumed_needs: bool = False
    withheld: list[tuple[str, str]] = field(default_factory=list)

    def of(self, name: str) -> list[Item]:
        return [item for item in self.items if item.field == name]

    def texts(self, name: str) -> list[str]:
        return [item.text for item in self.of(name)]

    def first(self, name: str) -> str:
        return next(iter(self.texts(name)), "")

    def add(self, name: str, text: str, locator: str, heading: str = "") -> None:
        text = text.strip()
        if text:
            self.items.append(Item(name, text, locator, heading))
