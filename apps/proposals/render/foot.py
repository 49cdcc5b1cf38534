"""What stands under the content of every sheet of a slide: notices beside the benefit, and the sources."""

from __future__ import annotations

from apps.proposals.model import Slide, TextBlock
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.geometry import Box
from apps.proposals.render.layouts.base import Sheet, shortened
from apps.proposals.render.layouts.lists import draw_notice, notice_height, notices
from apps.proposals.render.measure import PITCH
from apps.proposals.render.text import SPACING, Para, para

SOURCE_SIZE = 9.0
SOURCE_LINES = 3
GAP = 8.0
NOTICE_SHARE = 0.35  # of the content area; longer notices get a slide of their own, in full


class Foot:
    def __init__(self, kit: Kit, slide: Slide, area: Box) -> None:
        self.kit, self.slide, self.area = kit, slide, area
        self.left_out: list[str] = []
        self.source = self._fitted(source_line(kit, slide))
        self._source_height = kit.height([self._line()], area.w) + 4 if self.source else 0.0
        wanted = notice_height(kit, slide.notices, area.w) if slide.notices else 0.0
        self.apart = wanted > NOTICE_SHARE * area.h
        self._notice_height = 0.0 if self.apart else wanted
        self.height = sum(h + GAP for h in (self._source_height, self._notice_height) if h)

    def _fitted(self, text: str) -> str:
        room = SOURCE_SIZE * PITCH * SPACING * (SOURCE_LINES + 0.1)
        short = shortened(text, self.area.w, room, SOURCE_SIZE, self.kit) if text else ""
        if short != text:
            self.kit.tell("render.shortened", "warn", self.slide.id, text[:20])
            self.left_out = [text]
        return short

    def _line(self) -> Para:
        return para(self.source, SOURCE_SIZE, color=self.kit.scheme.muted, spacing=1.0)

    def under(self, sheets: list[Sheet]) -> list[Sheet]:
        """The sheets with the foot drawn after each; notices too long for it follow on sheets of their own."""
        if self.apart:
            body = [TextBlock(text=text) for text in self.slide.notices]
            alone = self.slide.model_copy(update={"body": body, "notices": []})
            sheets = [*sheets, *notices(self.kit, alone, self.area.above(self.height))]
        placed = [self._with_foot(sheet) for sheet in sheets]
        if placed:
            placed[0].left_out.extend(self.left_out)
        return placed

    def _with_foot(self, sheet: Sheet) -> Sheet:
        if not self.height:
            return sheet

        def draw(canvas: Canvas) -> None:
            sheet.draw(canvas)
            if self._notice_height:
                above = self._source_height + GAP if self.source else 0.0
                draw_notice(canvas, self.area.above(above).foot(self._notice_height), self.slide.notices)
            if self.source:
                canvas.text(self.area.foot(self._source_height), [self._line()], name="source", anchor="b")

        return Sheet(draw, sheet.left_out)


def source_line(kit: Kit, slide: Slide) -> str:
    """Sources of the slide, its chart (with as-of date) and its table, each once."""
    parts: list[str] = []
    if slide.chart is not None and (slide.chart.source or slide.chart.as_of):
        as_of = kit.label("as_of", slide.chart.as_of) if slide.chart.as_of else ""
        joined = f"{slide.chart.source}（{as_of}）" if kit.language == "ja" else f"{slide.chart.source} ({as_of})"
        parts.append(joined if slide.chart.source and as_of else slide.chart.source or as_of)
    if slide.table is not None and slide.table.source:
        parts.append(slide.table.source)
    parts += slide.sources
    unique = [p for p in dict.fromkeys(part.strip() for part in parts) if p]
    return kit.label("source") + kit.label("join").join(unique) if unique else ""
