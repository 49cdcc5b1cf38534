"""Write into placeholders: titles, section names, body text, cover; copy footer, date and number; remove the unused."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from apps.proposals.model import Deck, Slide, TextBlock
from apps.proposals.render import inherit
from apps.proposals.render.canvas import Canvas, Kit
from apps.proposals.render.color import Color, contrast
from apps.proposals.render.frames import Frame
from apps.proposals.render.geometry import Box, emu
from apps.proposals.render.items import Item, exploded, paginate
from apps.proposals.render.layouts.base import LEAST, Sheet, shortened
from apps.proposals.render.mapping import trimmed
from apps.proposals.render.measure import MARGIN as MARGIN_SHARE
from apps.proposals.render.measure import PITCH
from apps.proposals.render.template import MARGIN, Slot
from apps.proposals.render.text import Fonts, Para, balanced, fill, para, run_properties, sizes, text_height
from apps.proposals.render.words import SECTIONS, say
from apps.proposals.render.xml import Element, drop, el, qn

TITLE_LEAST = 18.0
TITLE_MOST = 40.0
KICKER_LEAST = 9.0
META_LEAST = 7.0
OWNED = re.compile(
    r"©|\(c\) ?\d|copyright|confidential|internal|all rights|社外秘|部外秘|取扱注意|秘密|株式会社|銀行|"
    r"\b(?:inc|ltd|corp|llc|gmbh|plc)\b",
    re.IGNORECASE,
)


def find(pptx_slide: Any, slot: Slot | None) -> Element | None:
    """The slide's own copy of a layout's placeholder."""
    if slot is None:
        return None
    for shape in pptx_slide.shapes._spTree:
        ph = inherit.placeholder(shape)
        if ph is not None and inherit.ph_index(ph) == slot.index and inherit.ph_type(ph) == slot.kind:
            return shape
    return None


def write(
    shape: Element, slot: Slot, paragraphs: Sequence[Para], language: str, *, inherit_bullets: bool = False
) -> None:
    body = shape.find(qn("p:txBody"))
    fill(body, paragraphs, slot.fonts, language, inherit=inherit_bullets)
    properties = body.find(qn("a:bodyPr"))
    for old in list(properties):
        properties.remove(old)
    properties.append(el("a:normAutofit"))


def set_box(shape: Element, box: Box) -> None:
    """Give a placeholder a place of its own instead of the layout's."""
    properties = shape.find(qn("p:spPr"))
    for old in properties.findall(qn("a:xfrm")):
        drop(old)
    place = el("a:xfrm", el("a:off", x=emu(box.x), y=emu(box.y)), el("a:ext", cx=emu(box.w), cy=emu(box.h)))
    properties.insert(0, place)


# ---- title -----------------------------------------------------------------------------------------------------------


def title_paragraph(kit: Kit, slot: Slot, text: str, slide: str, *, lines: int = 2) -> tuple[Para, str]:
    """The title at the largest size that keeps it to ``lines`` lines inside its box; and what had to be left out."""
    inner = slot.inner
    spacing = 1.05
    most = min(slot.size, TITLE_MOST) if slot.size >= TITLE_LEAST else TITLE_LEAST

    def made(words: str, size: float) -> Para:
        broken = balanced(words, inner.w - slot.indents[0], size, slot.face, bold=slot.bold, language=kit.language)
        return para(broken, size, bold=slot.bold, spacing=spacing, indent=slot.indents[0])

    def good(words: str, size: float, rows: int) -> bool:
        needed = text_height([made(words, size)], inner.w, slot.face)
        return needed <= min(inner.h, rows * size * PITCH * spacing + 0.5)

    for rows in (lines, 4):
        for size in sizes(most, TITLE_LEAST if rows == lines else LEAST + 2):
            if good(text, size, rows):
                if size < 20:
                    kit.tell("render.shrunk", "info", slide, text[:12], size)
                return made(text, size), ""
    size = LEAST + 2
    cut = text
    while len(cut) > 4 and not good(cut + "…", size, 4):
        cut = cut[: max(int(len(cut) * 0.92) - 1, 1)]
    kit.tell("render.shortened", "warn", slide, text[:20])
    return made(cut + "…", size), text


def drawn_slot(frame: Frame, box: Box, size: float, *, bold: bool = False) -> Slot:
    """Stands in for a placeholder that the layout lacks."""
    fonts = frame.profile.fonts
    return Slot("title", 0, box, size, bold, fonts.major, Fonts("+mj-lt", "+mj-ea"), None, (0, 0, 0, 0))


def write_title(canvas: Canvas, frame: Frame, text: str, slide: str, *, lines: int = 2) -> list[str]:
    """Fill the title placeholder, or add one with a box of its own where the layout has none."""
    kit = canvas.kit
    slot = frame.title or drawn_slot(frame, frame.title_box, 24, bold=True)
    shape = find(canvas.slide, frame.title)
    if shape is None:
        kit.tell("template.no_title", "warn", slide, frame.profile.name)
        shape = canvas.shape("title", slot.box, paras=[para(text, 24)], anchor="ctr")
        shape.find(f"./*/{qn('p:nvPr')}").append(el("p:ph", type="title"))
        canvas.tree.insert(2, shape)
    elif frame.moved:
        set_box(shape, slot.box)
    paragraph, left_out = title_paragraph(kit, slot, text, slide, lines=lines)
    write(shape, slot, [paragraph], kit.language, inherit_bullets=frame.title is not None)
    ground = slot.fill or frame.profile.ground(slot.box)
    if slot.color is None or contrast(slot.color, ground) < 3.0:
        color = kit.scheme.palette.best([Color("tx1"), Color("tx2"), Color("bg1")], ground)
        for run in shape.iter(qn("a:rPr")):
            run.insert(0, color.fill())
    return [left_out] if left_out else []


def write_kicker(canvas: Canvas, frame: Frame, slide: Slide) -> None:
    shape = find(canvas.slide, frame.kicker)
    name = say(SECTIONS, slide.kind, canvas.kit.language)
    if shape is not None and frame.kicker is not None and name and frame.kicker.box.h >= KICKER_LEAST * PITCH:
        size = min(frame.kicker.size, 14.0, frame.kicker.box.h / PITCH - 0.5)
        paragraph = para(name, max(size, KICKER_LEAST), bold=frame.kicker.bold, spacing=1.0)
        write(shape, frame.kicker, [paragraph], canvas.kit.language, inherit_bullets=True)
        properties = shape.find(f"{qn('p:txBody')}/{qn('a:bodyPr')}")
        properties.set("tIns", "0")
        properties.set("bIns", "0")


# ---- body text -------------------------------------------------------------------------------------------------------


def body_slot(kit: Kit, frame: Frame, slide: str) -> Slot:
    if frame.body is not None:
        return frame.body
    kit.tell("template.no_body", "warn", slide, frame.profile.name)
    return Slot(
        "body",
        -1,
        frame.area,
        18.0,
        False,
        frame.face,
        Fonts(),
        None,
        (0, 0, 0, 0),
        indents=(16.0, 32.0, 48.0, 64.0, 80.0),
    )


def plan_text(kit: Kit, slide: Slide, frame: Frame, foot: float) -> list[Sheet]:
    """Body text in the template's own placeholder with its own bullets; continued on further slides when long."""
    slot = body_slot(kit, frame, slide.id)
    inner = slot.inner.above(foot)
    lead = [TextBlock(text=slide.subtitle)] if slide.subtitle.strip() else []
    groups = _groups([*lead, *slide.body])

    def good(part: Sequence[list[TextBlock]], size: float) -> bool:
        return text_height(_body_paras(slot, part, size), inner.w, slot.face) <= inner.h

    steps = sizes(min(max(slot.size, 16.0), 20.0), LEAST)
    ready = _cut_groups(groups, lambda part: good([part], LEAST))
    pages = paginate(ready, lambda part: good(part, 14.0)) or [[]]
    sheets = []
    for part in pages:
        size = next((s for s in steps if good(part, s)), LEAST)
        sheets.append(Sheet(_text_drawer(frame, slot, _body_paras(slot, part, size))))
    return sheets


def _groups(body: Sequence[TextBlock]) -> list[list[TextBlock]]:
    groups: list[list[TextBlock]] = []
    for block in body:
        if block.text.strip() and (block.level == 0 or not groups):
            groups.append([block])
        elif block.text.strip():
            groups[-1].append(block)
    return groups


def _cut_groups(groups: list[list[TextBlock]], good: Callable[[list[TextBlock]], bool]) -> list[list[TextBlock]]:
    """Groups too long for a slide are cut between blocks, then between sentences, then anywhere."""
    out: list[list[TextBlock]] = []
    for group in groups:
        if good(group):
            out.append(group)
            continue
        for block in group:
            pieces = exploded([Item("", (block.text,))], _alone(block, good), "")
            out.extend([block.model_copy(update={"text": "".join(piece.details)})] for piece in pieces)
    return out


def _alone(block: TextBlock, good: Callable[[list[TextBlock]], bool]) -> Callable[[Item], bool]:
    return lambda item: good([block.model_copy(update={"text": "".join(item.details)})])


def _body_paras(slot: Slot, groups: Sequence[list[TextBlock]], size: float) -> list[Para]:
    out: list[Para] = []
    for group in groups:
        for number, block in enumerate(group):
            level = min(block.level, len(slot.indents) - 1)
            before = size * (0.7 if number == 0 and out else 0.3 if number else 0)
            out.append(
                para(
                    block.text.strip(),
                    max(size - 2 * level, LEAST),
                    level=level,
                    before=before,
                    indent=slot.indents[level],
                )
            )
    return out


def _text_drawer(frame: Frame, slot: Slot, paragraphs: list[Para]) -> Any:
    def draw(canvas: Canvas) -> None:
        shape = find(canvas.slide, frame.body)
        if shape is not None:
            write(shape, slot, paragraphs, canvas.kit.language, inherit_bullets=True)
        else:
            shown = [replace(p, bullet="•", indent=p.size * (0.9 + p.level)) for p in paragraphs]
            canvas.text(slot.box, shown)

    return draw


# ---- cover -----------------------------------------------------------------------------------------------------------


def recipient(deck: Deck) -> str:
    """The client's name with 御中 in Japanese (様 for people), unless it already ends in an honorific."""
    name = deck.client.strip()
    if deck.language == "ja" and name.endswith(("ご夫妻", "ご一家", "ご家族", "ご本人")):
        return f"{name}様"
    if deck.language == "ja" and name and not name.endswith(("御中", "様", "殿")):
        return f"{name} 御中"
    return name


def draw_cover(canvas: Canvas, frame: Frame, slide: Slide, deck: Deck) -> list[str]:
    """Title, client, subtitle, author and date in the placeholders the cover has, by where they lie."""
    outside = [*slide.notices, *slide.sources]  # a cover has no foot: these go to its notes
    for text in outside:
        canvas.kit.tell("render.shortened", "warn", slide.id, text[:20])
    left_out = outside + write_title(canvas, frame, slide.title or deck.title, slide.id, lines=3)
    top = frame.title_box.y
    small = sorted((s for s in frame.profile.bodies if s.kind != "subTitle" and not s.vertical), key=lambda s: s.box.y)
    above = [s for s in small if s.box.bottom <= top + 8]
    below = [s for s in small if s not in above and s.box.y >= top]
    sub = next((s for s in frame.profile.slots if s.kind == "subTitle"), None) or (below.pop(0) if below else None)
    used = [s for s in (frame.title, sub, *above[-1:], *below[-1:]) if s is not None]
    rest = [recipient(deck)]
    if above:
        rest = _write_lines(canvas, above[-1], rest)
    rest += [slide.subtitle, *(block.text.strip() for block in slide.body)]
    if sub is not None and below:  # a place of its own for author and date
        rest = _write_lines(canvas, sub, rest)
        sub = below[-1]
    rest += [deck.author, deck.date]
    rest = _write_lines(canvas, sub, rest) if sub is not None else rest
    return left_out + _draw_rest(canvas, frame, [s.box for s in used], [text for text in rest if text], slide.id)


COVER_LEAST = 14.0


def _write_lines(canvas: Canvas, slot: Slot, texts: Sequence[str]) -> list[str]:
    """Fill a placeholder with as many of the lines as fit at a readable size; returns those that did not."""
    shape = find(canvas.slide, slot)
    texts = [text for text in texts if text]
    if shape is None:
        return list(texts)
    for count in range(len(texts), 0, -1):
        for size in sizes(min(max(slot.size, COVER_LEAST), 28.0), COVER_LEAST if count > 1 else LEAST):
            made = [para(text, size, bold=slot.bold, spacing=1.0, before=3) for text in texts[:count]]
            if text_height(made, slot.inner.w, slot.face) <= slot.inner.h:
                write(shape, slot, made, canvas.kit.language, inherit_bullets=True)
                return list(texts[count:])
    return list(texts)


def _draw_rest(canvas: Canvas, frame: Frame, used: list[Box], texts: list[str], slide: str) -> list[str]:
    """Lines of the cover that found no placeholder: below what is there, else above the title."""
    if not texts:
        return []
    kit, page = canvas.kit, frame.profile.page
    taken = Box.around(used or [frame.title_box])
    low, high = taken.bottom, taken.y
    wide = frame.title_box
    spots = [Box(wide.x, low + 10, wide.w, page.h - MARGIN - low - 10), Box(wide.x, MARGIN, wide.w, high - MARGIN - 10)]
    spots = [trimmed(spot, frame.profile.obstacles(spot), least=0.2) for spot in spots if spot.h > 0]
    align = "ctr" if abs(wide.x + wide.w / 2 - page.w / 2) < 20 else "l"
    for size in sizes(16, LEAST):
        made = [para(text, size, spacing=1.0, before=3, align=align) for text in texts]
        for spot in spots:
            if text_height(made, spot.w, kit.face) + 4 <= spot.h:
                canvas.text(spot.top(text_height(made, spot.w, kit.face) + 4), made)
                return []
    for text in texts:
        kit.tell("render.shortened", "warn", slide, text[:20])
    return texts


# ---- footer, date, number; clean-up ----------------------------------------------------------------------------------


def remove_unused(pptx_slide: Any) -> None:
    """Placeholders nobody filled would show their prompt when edited: they go."""
    for shape in list(pptx_slide.shapes._spTree):
        ph = inherit.placeholder(shape)
        if ph is not None and not "".join(t.text or "" for t in shape.iter(qn("a:t"))).strip():
            drop(shape)


def copy_meta(canvas: Canvas, frame: Frame, deck: Deck) -> None:
    """Date, footer and slide number, which python-pptx leaves behind, copied from the layout with their field."""
    for slot in frame.profile.meta:
        text = {"dt": deck.date, "ftr": _footer(slot, deck), "sldNum": "‹#›"}[slot.kind]
        if text:
            canvas.tree.append(_meta_shape(canvas, slot, text))


def _footer(slot: Slot, deck: Deck) -> str:
    """The template's own footer where it names an owner or a secrecy class, else the deck's title."""
    return slot.text if OWNED.search(slot.text) else deck.title


def _meta_shape(canvas: Canvas, slot: Slot, text: str) -> Element:
    kit = canvas.kit
    ids = [int(e.get("id")) for e in canvas.tree.iter(qn("p:cNvPr"))]
    names = (
        {"dt": "日付", "ftr": "フッター", "sldNum": "スライド番号"}
        if kit.language == "ja"
        else {"dt": "Date", "ftr": "Footer", "sldNum": "Slide number"}
    )
    head = el(
        "p:nvSpPr",
        el("p:cNvPr", id=max(ids) + 1, name=names[slot.kind]),
        el("p:cNvSpPr", el("a:spLocks", noGrp=1)),
        el("p:nvPr", el("p:ph", type=slot.kind, sz="quarter", idx=slot.index)),
    )
    width = slot.face.width(text, 1.0, bold=slot.bold)
    room = slot.inner.w * MARGIN_SHARE
    size = slot.size if slot.kind == "sldNum" or width * slot.size <= room else max(room / width, META_LEAST)
    run = run_properties("a:rPr", size if size < slot.size else None, None, None, slot.fonts, kit.language)
    if slot.kind == "sldNum":
        content = el("a:fld", run, el("a:t", text=text), id="{6B1B8F3B-8F0C-4A55-9C6E-2E2D6B0A7C11}", type="slidenum")
    else:
        short = shortened(text, slot.inner.w, size * 1.5, size, kit, bold=slot.bold)
        content = el("a:r", run, el("a:t", text=short))
    return el("p:sp", head, el("p:spPr"), el("p:txBody", el("a:bodyPr"), el("a:lstStyle"), el("a:p", content)))
