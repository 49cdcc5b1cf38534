"""What stands behind the main slides: figures with their sources, tables of attachments, documents, further points."""

from __future__ import annotations

from apps.proposals.model import EvidenceNumber, Slide, StoryPoint, Table
from apps.proposals.story.material import Point
from apps.proposals.writing.context import Context
from apps.proposals.writing.data_slides import MAX_ROWS


def write_appendix(point: StoryPoint, c: Context) -> Slide:
    """The figures of the deck with their sources; a table of an attachment; the list of documents; or further points of the brief."""
    kind, _, name = point.topic.partition(":")
    if kind == "table":
        return _table_slide(point, name, c)
    if kind == "sources":
        return _sources_slide(point, c)
    if kind == "others":
        return _others_slide(point, c)
    w, m = c.words, c.material
    used = [n for n in m.usable() if not n.formula and len(n.label) > 1 and n.label not in n.raw]
    chosen = [n for p in c.effects.pairs for n in (p.before, p.after)] + [
        n for t in c.effects.trends[:1] for n in t.numbers
    ]
    chosen += (
        [line.number for line in c.costs if line.number]
        + [n for p in m.needs for n in m.numbers_about(p.text, 2)]
        + used
    )
    unique = [n for n in {n.id: n for n in chosen}.values() if not n.formula][:MAX_ROWS]
    rows = [
        [
            f"{n.label}（{n.period}）" if n.period and n.period not in n.label else n.label,
            _rate_text(n, c),
            _origin(n, c),
        ]
        for n in unique
    ]
    table = Table(columns=[w("number_label"), w("value"), w("source")], rows=rows, evidence=[n.id for n in unique])
    return c.slide(point, w("appendix_title"), [], evidence=[n.id for n in unique], table=table)


def _rate_text(number: EvidenceNumber, c: Context) -> str:
    """The figure as written; one whose 月額 stood elsewhere in its line gets it back (18万円/月)."""
    base, _, per = number.unit.partition("/")
    bare = c.language == "ja" and per and per not in number.raw and "/" not in number.raw and base
    return f"{number.raw}/{per}" if bare else number.raw


def _origin(number: EvidenceNumber, c: Context) -> str:
    if not c.material.from_attachment(number):
        return c.words("brief_source")
    file = c.material.source_of(number).file
    as_of = (
        f"（{number.as_of}）" if number.as_of and c.language == "ja" else f" ({number.as_of})" if number.as_of else ""
    )
    return f"{file}{as_of}"


MAX_OTHERS = 8


def _others_slide(point: StoryPoint, c: Context) -> Slide:
    """The sections of the brief that are no known field, under their own headings."""
    groups: dict[str, list[Point]] = {}
    for heading, line in c.material.others[:MAX_OTHERS]:
        groups.setdefault(heading, []).append(line)
    body = [
        block
        for heading, lines in groups.items()
        for block in (c.block(heading), *(c.block(line.text, 1, line.evidence) for line in lines))
    ]
    headings = c.words.join([c.words.quote(h) for h in groups], 2)
    return c.slide(point, c.words("others_title", headings=headings), body)


def _table_slide(point: StoryPoint, name: str, c: Context) -> Slide:
    table = next(t for t in c.material.ledger.tables if t.id == name)
    unusable = {i for row in table.cells for i in row if i in c.material.unusable}
    rows = [row for row, cells in zip(table.rows, table.cells, strict=True) if not unusable & set(cells)][:8]
    ids = [i for row in table.cells for i in row if i and i not in unusable]
    columns = [col or c.words("item") for col in table.columns]
    title = c.words("data_title", title=table.title or table.file)
    data = Table(columns=columns, rows=rows, unit=table.unit, source=table.file, evidence=ids)
    return c.slide(point, title, [], evidence=ids, table=data)


def _sources_slide(point: StoryPoint, c: Context) -> Slide:
    m = c.material
    files = [
        f for f in dict.fromkeys(s.file for s in m.ledger.snippets if s.hidden != "expired") if f != m.brief_file()
    ]
    rows = []
    for file in files[:MAX_ROWS]:
        dated = next((n.as_of for n in m.ledger.numbers if m.source_of(n).file == file and n.as_of), "")
        rows.append([file, dated or c.words("to_confirm")])
    head = ["資料", "時点"] if c.language == "ja" else ["Document", "As of"]
    return c.slide(point, c.words("appendix_sources"), [], table=Table(columns=head, rows=rows))
