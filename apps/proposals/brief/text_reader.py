"""A brief as Markdown or plain text: headings, ``label: value`` lines, bullets, tables and free prose, in any order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from apps.proposals.brief.fields import LISTS, bare, field_of
from apps.proposals.brief.items import Collected, Item
from apps.proposals.brief.numbers import read_numbers
from apps.proposals.brief.splitting import BULLET, sentences, split_list, with_label

_MARKDOWN = re.compile(r"^\s{0,3}(?P<marks>#{1,6})\s*(?P<text>.+?)\s*#*$")
_BRACKETED = re.compile(r"^[\s　]*[【［\[〈《<](?P<text>[^】］\]〉》>]{1,30})[】］\]〉》>]\s*[:：]?\s*(?P<rest>.*)$")
_MARKED = re.compile(r"^[\s　]*[■◆▼▲□◇◎★☆●○▶]\s*(?P<text>.+)$")
_NUMBERED = re.compile(r"^[\s　]*(?:\d{1,2}[.．)）]|[①-⑳]|[(（]\d{1,2}[)）])\s*(?P<text>[^:：]{1,16})[:：]?$")
_LABELLED = re.compile(r"^[\s　]*(?P<label>[^:：|｜]{1,30}?)\s*[:：]\s*(?P<rest>.*)$")
_RULE = re.compile(r"^[\s　]*[-=_*＝ー－―─]{3,}\s*$")
_EMPHASIS = re.compile(r"\*\*|__|`")


@dataclass
class _Section:
    """The part of the brief being read. ``indent`` of the bullet that opened it; −1 for headings."""

    field: str
    indent: int = -1
    heading: str = ""


@dataclass
class _Reader:
    found: Collected = field(default_factory=Collected)
    section: _Section | None = None
    header: list[str] | None = None
    last: tuple[int, int] | None = None  # (index of the item that a deeper bullet belongs to, its indent)
    title: str = ""

    def line(self, raw: str, number: int) -> None:
        text = _EMPHASIS.sub("", raw.rstrip())
        if not text.strip():
            self.last, self.header = None, None
            return
        if _RULE.match(text):
            return
        if text.lstrip().startswith("|"):
            self.row(text, number)
        elif not (self.heading(text, number) or self.labelled(text, number)):
            self.content(text, number)

    def heading(self, text: str, number: int) -> bool:
        markdown, bracketed, marked = _MARKDOWN.match(text), _BRACKETED.match(text), _MARKED.match(text)
        if markdown:
            return self.open_heading(markdown["text"], number, level=len(markdown["marks"]))
        if bracketed and (field_of(bracketed["text"]) or not bracketed["rest"]):
            opened = self.open_heading(bracketed["text"], number)
            self.rest(bracketed["rest"], number)
            return opened
        if marked and (field_of(marked["text"]) or self.labelled(marked["text"], number, switch=True)):
            return self.open_heading(marked["text"], number) if field_of(marked["text"]) else True
        numbered = _NUMBERED.match(text)
        for candidate in (numbered["text"] if numbered else "", text.strip()):
            if (
                1 < len(candidate) <= 20
                and not re.search(r"[。、]", candidate)
                and field_of(candidate)
                and not BULLET.match(candidate)
            ):
                return self.open_heading(candidate, number)
        return False

    def open_heading(self, text: str, number: int, level: int = 2) -> bool:
        label = _LABELLED.match(text)
        if label and field_of(label["label"]):
            self.section = _Section(str(field_of(label["label"])))
            self.rest(label["rest"], number, label["label"])
            return True
        name = field_of(text)
        if level == 1 and name is None and not self.title:
            self.title = bare(text)
            return True
        if name is None and level > 2 and self.section and self.section.field in LISTS:
            self.put(self.section.field, bare(text), number)
            return True
        self.section = _Section(name or "context", heading="" if name else bare(text))
        if name is None:
            self.found.unknown.append((bare(text), f"line {number}"))
        self.last = None
        return True

    def labelled(self, text: str, number: int, *, switch: bool = False) -> bool:
        """A line ``label: value`` whose label is a field. Inside a section such a bullet is mostly an item of it."""
        bullet = BULLET.match(text)
        indent = len(bullet["indent"]) if bullet else 0
        body = bullet["text"] if bullet else text
        label = _LABELLED.match(body)
        name = field_of(label["label"]) if label else None
        if label is None or name is None or re.match(r"//", label["rest"]):
            return False
        if bullet and not switch and self.section and indent > self.section.indent:
            return False
        self.section = _Section(name, indent=indent if bullet else 0)
        self.last = None
        self.rest(label["rest"], number, label["label"])
        return True

    def rest(self, text: str, number: int, label: str = "") -> None:
        """What stands on the line of a label."""
        if text.strip() and self.section:
            parts = split_list(text) if self.section.field in LISTS else [text]
            for part in parts:
                self.put(self.section.field, with_label(self.section.field, label, part), number)

    def content(self, text: str, number: int) -> None:
        bullet = BULLET.match(text)
        name = self.section.field if self.section else "prose"
        if not bullet:
            if self.last and text[0] in " \t　":
                self.extend(text.strip(), joiner="")
            else:
                parts = split_list(text) if name in LISTS else sentences(text.strip())
                for part in parts:
                    self.put(name, part, number)
            return
        indent = len(bullet["indent"])
        if self.last and indent > self.last[1] and name in LISTS:
            self.extend(
                bullet["text"].strip(), joiner="：" if "：" not in self.found.items[self.last[0]].text else "、"
            )
            return
        self.put(name, bullet["text"].strip(), number, indent=indent)

    def extend(self, text: str, joiner: str) -> None:
        """A deeper bullet or a wrapped line belongs to the item above it."""
        if self.last:
            index, _ = self.last
            item = self.found.items[index]
            self.found.items[index] = Item(item.field, item.text + joiner + text, item.locator)

    def put(self, name: str, text: str, number: int, indent: int = 0) -> None:
        where = f"line {number}"
        if name == "numbers":
            numbers, empty = read_numbers(text, where)
            self.found.numbers.extend(numbers)
            self.found.empty_numbers.extend(empty)
            self.found.add("facts", text, where)
            return
        before = len(self.found.items)
        self.found.add(name, text.rstrip("。") if name in LISTS else text, where)
        self.last = (before, indent) if len(self.found.items) > before else None

    def row(self, text: str, number: int) -> None:
        """A row of a Markdown table, under its header."""
        cells = [cell.strip() for cell in text.strip().strip("|").split("|")]
        if all(re.fullmatch(r":?-{2,}:?", cell) for cell in cells if cell):
            return
        if self.header is None:
            self.header = cells
            return
        name = self.section.field if self.section else "context"
        if name == "numbers":
            known = {head: cell for head, cell in zip(self.header[1:], cells[1:], strict=False) if cell}
            plain = list(known.values())
            value = (
                {"label": cells[0], **known}
                if any(h in _COLUMNS for h in known)
                else {cells[0]: known if len(known) > 1 else plain}
            )
            numbers, empty = read_numbers(value, f"line {number}")
            self.found.numbers.extend(numbers)
            self.found.empty_numbers.extend(empty)
            self.found.add("facts", "：".join([cells[0], "、".join(c for c in cells[1:] if c)]), f"line {number}")
        else:
            self.put(name, "：".join(c for c in (cells[0], "、".join(c for c in cells[1:] if c)) if c), number)


_COLUMNS = frozenset(
    [
        "値",
        "数値",
        "数字",
        "金額",
        "単位",
        "期間",
        "時点",
        "value",
        "amount",
        "unit",
        "period",
        "Value",
        "Amount",
        "Unit",
        "Period",
    ]
)


def collect_text(text: str) -> tuple[Collected, str]:
    """Everything in a text brief, by field, and the first-level heading if there is one."""
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), start=1):
        reader.line(line, number)
    return reader.found, reader.title
