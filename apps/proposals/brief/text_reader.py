"""A brief as Markdown or plain text: headings, ``label: value`` lines, bullets, tables and free prose, in any order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from apps.common.japanese.normalise import is_japanese
from apps.proposals.brief.fields import LISTS, bare, concept_of, field_of, is_internal
from apps.proposals.brief.grid import Header, is_divider, row_cells
from apps.proposals.brief.items import Collected
from apps.proposals.brief.numbers import read_numbers
from apps.proposals.brief.prose import as_need
from apps.proposals.brief.splitting import BULLET, named, pieces, sentences, split_list, with_label
from apps.proposals.evidence.figures import quantities

_MARKDOWN = re.compile(r"^\s{0,3}(?P<marks>#{1,6})\s*(?P<text>.+?)\s*#*$")
_BRACKETED = re.compile(r"^[\s　]*[【［\[〈《<](?P<text>[^】］\]〉》>]{1,30})[】］\]〉》>]\s*[:：]?\s*(?P<rest>.*)$")
_MARKED = re.compile(r"^[\s　]*[■◆▼▲□◇◎★☆●○▶]\s*(?P<text>.+)$")
_NUMBERED = re.compile(r"^[\s　]*(?:\d{1,2}[.．)）]|[①-⑳]|[(（]\d{1,2}[)）])\s*(?P<text>[^:：]{1,16})[:：]?$")
_LABELLED = re.compile(r"^[\s　]*(?P<label>[^:：|｜]{1,30}?)\s*[:：]\s*(?P<rest>.*)$")
_DASHED = re.compile(r"^(?P<label>[^:：–—]{2,24}?)\s[–—]\s(?P<rest>.+)$")  # Timeline – approval in January, …
_SENTENCE_LIKE = re.compile(r"\d|(?:です|ます|る|た|い|ん)$|[.!?！？]$")  # between bullets: no heading
_ABOUT_DECK = re.compile(
    r"提案(?:書|資料)|説明資料|資料(?:を|の|$)|スライド|プレゼン|\d\s?枚|\b(?:deck|slides?|presentation)\b", re.IGNORECASE
)
_RULE = re.compile(r"^[\s　]*[-=_*＝ー－―─]{3,}\s*$")
_EMPHASIS = re.compile(r"\*\*|__|`")


@dataclass
class _Section:
    """The part of the brief being read. ``indent`` of the bullet that opened it; −1 for headings.

    ``heading``: set for a section that is no known field. ``whole``: opened by a ``label: value`` line, which is
    complete in itself, so that the next label on the margin is its sibling and not an item of it. ``label``: the
    heading of any section, as written; ``level``: of a Markdown heading.
    ``ended``: an empty line stands behind its bullets, so that plain text below no longer belongs to it for sure.
    ``bulleted``: opened by a bullet, so that the next bullet of its depth is its sibling.
    """

    field: str
    indent: int = -1
    heading: str = ""
    whole: bool = False
    label: str = ""
    level: int = 2
    ended: bool = False
    bulleted: bool = False


@dataclass
class _Reader:
    found: Collected = field(default_factory=Collected)
    section: _Section | None = None
    header: Header | None = None
    last: tuple[int, int] | None = None  # (index of the bullet that deeper or wrapped lines belong to, its indent)
    title: str = ""
    following: str = ""  # the next line with text, to tell a heading without marks from a sentence

    def read(self, text: str) -> None:
        lines = [_EMPHASIS.sub("", raw.rstrip()) for raw in text.splitlines()]
        for number, line in enumerate(lines, start=1):
            self.following = next((after for after in lines[number:] if after.strip()), "")
            self.line(line, number)

    def line(self, text: str, number: int) -> None:
        if not text.strip():
            if self.section and (self.last or self.section.whole):
                self.section.ended = True
            self.last, self.header = None, None
        elif text.lstrip().startswith("|"):
            self.row(text, number)
        elif not (
            _RULE.match(text)
            or self.heading(text, number)
            or self.labelled(text, number)
            or self.bullet_heading(text, number)
        ):
            self.content(text, number)

    def heading(self, text: str, number: int) -> bool:
        markdown, bracketed, marked = _MARKDOWN.match(text), _BRACKETED.match(text), _MARKED.match(text)
        if markdown:
            return self.open_heading(markdown["text"], number, level=len(markdown["marks"]))
        if bracketed:
            self.open_heading(bracketed["text"], number)
            if self.section and bracketed["rest"]:
                self.section.whole = True
            self.rest(bracketed["rest"], number, bracketed["text"])
            return True
        if marked and (concept_of(marked["text"]) or self.labelled(marked["text"], number, switch=True)):
            return self.open_heading(marked["text"], number) if concept_of(marked["text"]) else True
        numbered = _NUMBERED.match(text)
        return any(self.bare_heading(c, number) for c in (numbered["text"] if numbered else "", text.strip()))

    def bare_heading(self, text: str, number: int) -> bool:
        """A short line without any mark: a known name, or words for one with its items in bullets below."""
        if not 1 < len(text) <= 20 or re.search(r"[。、]", text) or BULLET.match(text):
            return False
        items = BULLET.match(self.following) is not None
        between = self.last is not None and len(text) <= 12 and not _SENTENCE_LIKE.search(text)
        return bool(field_of(text) or ((items or between) and concept_of(text))) and self.open_heading(text, number)

    def bullet_heading(self, text: str, number: int) -> bool:
        """A bullet that is the heading of the deeper bullets below it: - 提案したいもの, then 1. … and 2. …"""
        bullet, below = BULLET.match(text), BULLET.match(self.following)
        if bullet is None or below is None or len(below["indent"]) <= len(bullet["indent"]):
            return False
        words, indent = bullet["text"].strip(" 　:："), len(bullet["indent"])
        outer = self.section is None or self.section.indent < 0 or indent <= self.section.indent
        within = self.section is not None and self.section.indent < 0 and self.section.field in LISTS
        name = concept_of(words) if outer and not within and len(words) <= 20 and not re.search("[。、]", words) else None
        if name is None:
            return False
        self.open(name, bare(words), number, indent=indent)
        if self.section:
            self.section.bulleted = True
        return True

    def _sibling(self, bullet: re.Match[str] | None) -> bool:
        """Whether a bullet stands beside the one that opened the section, so that it is no item of it."""
        section = self.section
        return bullet is not None and section is not None and section.bulleted and len(bullet["indent"]) <= section.indent

    def open_heading(self, text: str, number: int, level: int = 2) -> bool:
        label = _LABELLED.match(text)
        if label and concept_of(label["label"]):
            self.open(concept_of(label["label"]), label["label"], number, whole=bool(label["rest"].strip()))
            self.rest(label["rest"], number, label["label"])
            return True
        above = self.section
        inside = above is not None and above.field in LISTS and not above.whole and level > max(2, above.level)
        name = None if is_internal(text) else field_of(text) if inside or level == 1 else concept_of(text)
        if level == 1 and name is None and not self.title:
            self.title = bare(text)
            return True
        if name is None and inside and self.section:
            self.put(self.section.field, bare(text), number)
            return True
        self.open(name, bare(text), number)
        if self.section:
            self.section.level = level
        return True

    def open(self, name: str | None, heading: str, number: int, *, indent: int = -1, whole: bool = False) -> None:
        """A new section; one that is no known field keeps its heading and is named among the findings."""
        self.section = _Section(name or "other", indent, "" if name else heading, whole, heading)
        self.last = None
        if name is None:
            self.found.unknown.append((heading, f"line {number}"))

    def labelled(self, text: str, number: int, *, switch: bool = False) -> bool:
        """A line ``label: value``. Below a heading, and in bullets, only a known name opens a section; on the margin
        of a brief made of such lines any label does, so that nothing lands in the field above it."""
        bullet = BULLET.match(text)
        indent = len(bullet["indent"]) if bullet else 0
        label = _LABELLED.match(bullet["text"] if bullet else text)
        dashed = _DASHED.match(text) if label is None and not bullet else None
        label = dashed if dashed and concept_of(dashed["label"]) else label
        if label is None or re.match(r"//", label["rest"]):
            return False
        outside = self.section is None or self.section.indent >= 0
        margin = not bullet and not re.match(r"[\s　]", text)
        loose = margin and outside
        after = margin and self.section is not None and self.section.ended
        name = concept_of(label["label"]) if loose or after or switch else field_of(label["label"])
        beside = (loose and self.section is not None and self.section.whole) or self._sibling(bullet)
        sibling = beside and len(label["label"]) <= 16
        if name is None and not sibling:
            return False
        if bullet and not switch and self.section and indent > self.section.indent:
            return False
        self.open(name, bare(label["label"]), number, indent=indent if bullet else 0, whole=bool(label["rest"].strip()))
        if self.section:
            self.section.bulleted = bullet is not None
        self.rest(label["rest"], number, label["label"])
        return True

    def rest(self, text: str, number: int, label: str = "") -> None:
        """What stands on the line of a label. A figure under a label of its own (売上高：38億円) is one of the numbers."""
        if text.strip() and self.section:
            name = self.section.field
            if name == "other" and len(text) <= 40 and "。" not in text and any(f.unit for f in quantities(text)):
                self.found.unknown.pop()
                self.figures(text if self.section.heading in text else f"{label}：{text}", f"{label}：{text}", number)
                return
            if name == "needs" and _ABOUT_DECK.search(text):  # 目的：役員会で使う提案資料
                self.put("request", text, number)
                return
            told = [as_need(one) for one in sentences(text)] if name == "needs" and not is_japanese(text) else [text]
            for part in [p for one in told for p in pieces(name, one, split_list)] if name in LISTS else [text]:
                self.put(name, with_label(name, label, part), number)

    def content(self, text: str, number: int) -> None:
        bullet = BULLET.match(text)
        name = self.section.field if self.section else "prose"
        if self._sibling(bullet):
            self.section, self.last, name = None, None, "prose"
        if not bullet:
            if self.section and not text[0].isspace() and (self.section.ended or self._goes_on(text)):
                name = "prose"
            if self.last and text[0] in " \t　":
                self.extend(text.strip(), joiner="")
            else:
                for part in pieces(name, text, split_list) if name in LISTS else sentences(text.strip()):
                    self.put(name, part, number)
            return
        indent = len(bullet["indent"])
        if self.last and indent > self.last[1] and name in LISTS:
            self.extend(
                bullet["text"].strip(), joiner="：" if "：" not in self.found.items[self.last[0]].text else "、"
            )
            return
        for part in pieces(name, bullet["text"].strip()):
            self.put(name, part, number, indent=indent, bullet=True)

    def _goes_on(self, text: str) -> bool:
        """A whole sentence below a ``label: value`` line, which is complete in itself: the mail goes on."""
        whole = self.section is not None and self.section.whole and self.last is None
        return whole and len(text) >= 20 and re.search(r"[。.!?！？]$", text.strip()) is not None

    def extend(self, text: str, joiner: str) -> None:
        """A deeper bullet or a wrapped line belongs to the item above it."""
        if self.last:
            index, _ = self.last
            item = self.found.items[index]
            self.found.items[index] = replace(item, text=item.text + joiner + text)

    def put(self, name: str, text: str, number: int, indent: int = 0, *, bullet: bool = False) -> None:
        where = f"line {number}"
        if name == "numbers":
            self.figures(text, text, number)
            return
        before = len(self.found.items)
        section = self.section or _Section(name)
        text = with_label(name, section.label, text) if "予算" in section.label else text
        if name == "needs" and not is_japanese(text):
            text = text[:1].upper() + text[1:]
        self.found.add(name, named(name, text), where, section.heading)
        self.last = (before, indent) if bullet and len(self.found.items) > before else None

    def figures(self, value: object, text: str, number: int) -> None:
        numbers, empty = read_numbers(value, f"line {number}")
        self.found.numbers.extend(numbers)
        self.found.empty_numbers.extend(empty)
        self.found.add("facts", text, f"line {number}")

    def row(self, text: str, number: int) -> None:
        """A row of a Markdown table: under a section its items; elsewhere each row may name its own field."""
        cells = row_cells(text)
        if is_divider(cells):
            return
        if self.header is None:
            self.header = Header(cells)
            if self.section is None and self.header.is_entry():
                self.entry(cells, number)
            return
        name = self.section.field if self.section else ""
        if name == "numbers":
            self.figures(self.header.figures(cells), self.header.line(cells), number)
        elif name in ("", "other", "context") and len(cells) == 2 and concept_of(cells[0]):
            self.entry(cells, number)
        else:
            self.put(name or "context", self.header.line(cells), number)

    def entry(self, cells: list[str], number: int) -> None:
        """A two-column row ``field | value``."""
        before, self.section = self.section, _Section(str(concept_of(cells[0])), whole=True)
        self.rest(cells[1], number, cells[0])
        self.section = before


def collect_text(text: str) -> tuple[Collected, str]:
    """Everything in a text brief, by field, and the first-level heading if there is one."""
    reader = _Reader()
    reader.read(text)
    return reader.found, reader.title
