"""Boxes on a slide, in points (1/72 inch), origin at the top left. Knows nothing of PowerPoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EMU_PER_PT = 12700


def emu(points: float) -> int:
    return round(points * EMU_PER_PT)


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    w: float
    h: float

    @classmethod
    def of_emu(cls, x: int, y: int, w: int, h: int) -> Box:
        return cls(x / EMU_PER_PT, y / EMU_PER_PT, w / EMU_PER_PT, h / EMU_PER_PT)

    @classmethod
    def around(cls, boxes: Iterable[Box]) -> Box:
        """The smallest box that holds all; at least one is needed."""
        found = list(boxes)
        left, top = min(b.x for b in found), min(b.y for b in found)
        return cls(left, top, max(b.right for b in found) - left, max(b.bottom for b in found) - top)

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def bottom(self) -> float:
        return self.y + self.h

    @property
    def area(self) -> float:
        return max(self.w, 0) * max(self.h, 0)

    def inset(self, dx: float, dy: float | None = None) -> Box:
        dy = dx if dy is None else dy
        return Box(self.x + dx, self.y + dy, self.w - 2 * dx, self.h - 2 * dy)

    def top(self, height: float) -> Box:
        return Box(self.x, self.y, self.w, height)

    def below(self, height: float) -> Box:
        """What remains under the top ``height`` points."""
        return Box(self.x, self.y + height, self.w, self.h - height)

    def foot(self, height: float) -> Box:
        return Box(self.x, self.bottom - height, self.w, height)

    def above(self, height: float) -> Box:
        """What remains over the bottom ``height`` points."""
        return Box(self.x, self.y, self.w, self.h - height)

    def left(self, width: float) -> Box:
        return Box(self.x, self.y, width, self.h)

    def beside(self, width: float) -> Box:
        """What remains right of the left ``width`` points."""
        return Box(self.x + width, self.y, self.w - width, self.h)

    def columns(self, weights: Sequence[float], gap: float = 0) -> list[Box]:
        room = self.w - gap * (len(weights) - 1)
        out, x = [], self.x
        for weight in weights:
            width = room * weight / sum(weights)
            out.append(Box(x, self.y, width, self.h))
            x += width + gap
        return out

    def rows(self, weights: Sequence[float], gap: float = 0) -> list[Box]:
        room = self.h - gap * (len(weights) - 1)
        out, y = [], self.y
        for weight in weights:
            height = room * weight / sum(weights)
            out.append(Box(self.x, y, self.w, height))
            y += height + gap
        return out

    def grid(self, columns: int, rows: int, gap: float) -> list[Box]:
        """Cells of equal size, row by row."""
        return [cell for row in self.rows([1] * rows, gap) for cell in row.columns([1] * columns, gap)]

    def common(self, other: Box) -> float:
        """Area of the intersection."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(width, 0) * max(height, 0)

    def holds(self, other: Box, slack: float = 0.5) -> bool:
        return (
            other.x >= self.x - slack
            and other.y >= self.y - slack
            and other.right <= self.right + slack
            and other.bottom <= self.bottom + slack
        )
