"""The evidence ledger: snippets (D1 …), typed numbers (E1 …) and tables (T1 …) of the brief and its attachments."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import date

from apps.proposals.brief.items import NumberItem
from apps.proposals.brief.load import BriefReading
from apps.proposals.brief.numbers import read_numbers
from apps.proposals.evidence.dates import as_of, last_day, valid_until
from apps.proposals.evidence.document import Document, Piece, looks_like_instruction
from apps.proposals.evidence.figures import quantities
from apps.proposals.evidence.labels import Role, describe
from apps.proposals.evidence.tables import TypedTable, typed_tables
from apps.proposals.language import pick
from apps.proposals.model import EvidenceNumber, Finding, Ledger, LedgerTable, Snippet

MAX_SNIPPETS = 3000
SETTINGS = frozenset(("request", "slide_count", "tone", "audience", "language", "date", "customer_class", "author"))
_UNIT_LINE = re.compile(r"^[(（※\s]*(?:単位|unit)", re.IGNORECASE)
_ROLE_SUFFIX = {"before": "（現状）", "after": "（提案後）"}


def role_label(label: str, role: Role) -> str:
    return label + _ROLE_SUFFIX.get(role, "")


@dataclass
class LedgerBuild:
    """The ledger while it grows, with what the user should know about the sources."""

    language: str = "ja"
    today: date = field(default_factory=date.today)
    ledger: Ledger = field(default_factory=Ledger)
    findings: list[Finding] = field(default_factory=list)
    expired: set[str] = field(default_factory=set)

    def snippet(self, file: str, sha256: str, text: str, locator: str, hidden: str = "") -> str:
        name = f"D{len(self.ledger.snippets) + 1}"
        self.ledger.snippets.append(
            Snippet(id=name, file=file, sha256=sha256, locator=locator, text=text[:600], hidden=hidden)
        )
        return name

    def number(self, label: str, raw: str, value: float, unit: str, source: str, **more: object) -> str:
        name = f"E{len(self.ledger.numbers) + 1}"
        fields = {"id": name, "label": label, "raw": raw, "value": value, "unit": unit, "source": source, **more}
        self.ledger.numbers.append(EvidenceNumber.model_validate(fields))
        return name

    def note(self, rule: str, severity: str, ja: str, en: str) -> None:
        self.findings.append(
            Finding.model_validate(
                {"slide": "", "rule": rule, "severity": severity, "message": pick(self.language, ja, en)}
            )
        )


def build_ledger(reading: BriefReading, brief_bytes: bytes, documents: list[Document], today: date) -> LedgerBuild:
    """Snippets, numbers and tables of everything given; the brief comes first."""
    build = LedgerBuild(reading.brief.language, today)
    _add_brief(build, reading, hashlib.sha256(brief_bytes).hexdigest())
    for document in documents:
        _add_document(build, document)
    _check_validity(build, documents)
    return build


def _add_brief(build: LedgerBuild, reading: BriefReading, sha256: str) -> None:
    by_place: dict[str, str] = {}
    for item in reading.items:
        if item.field in SETTINGS:
            continue
        source = build.snippet(reading.name, sha256, item.text, item.locator)
        by_place.setdefault(item.locator, source)
        if item.field != "facts":
            _add_text_numbers(build, item.text, source, item.locator)
    for number in reading.numbers:
        shown = f"{number.label}：{number.raw}" + (f"（{number.period}）" if number.period else "")
        source = by_place.get(number.locator) or build.snippet(reading.name, sha256, shown, number.locator)
        _add_brief_number(build, number, source)
    for locator, source in by_place.items():
        text = build.ledger.snippets[int(source[1:]) - 1].text
        known = {n.raw for n in build.ledger.numbers if n.source == source}
        for extra in describe(text):
            if extra.figure.text not in known and not any(extra.figure.text in raw for raw in known):
                build.number(
                    role_label(extra.label, extra.role),
                    extra.figure.text,
                    extra.figure.value or 0.0,
                    extra.figure.full_unit,
                    source,
                    period=extra.period,
                    locator=locator,
                )
                known.add(extra.figure.text)


def _add_brief_number(build: LedgerBuild, number: NumberItem, source: str) -> None:
    same = [
        n
        for n in build.ledger.numbers
        if n.source == source and n.raw == number.raw and n.label.startswith(number.label)
    ]
    if not same:
        build.number(
            role_label(number.label, number.role),
            number.raw,
            number.value,
            number.unit,
            source,
            period=number.period,
            locator=number.locator,
            approx=number.approx,
        )


def _add_text_numbers(build: LedgerBuild, text: str, source: str, locator: str, **dates: str) -> None:
    """The figures of one line: those under its label (``手数料：1%``) and any others it mentions."""
    labelled, _ = read_numbers(text, locator)
    done: set[str] = set()
    for number in labelled:
        build.number(
            role_label(number.label, number.role),
            number.raw,
            number.value,
            number.unit,
            source,
            period=number.period,
            locator=locator,
            approx=number.approx,
            **dates,
        )
        done.add(number.raw)
    for described in describe(text):
        if described.figure.text not in done:
            build.number(
                role_label(described.label, described.role),
                described.figure.text,
                described.figure.value or 0.0,
                described.figure.full_unit,
                source,
                period=described.period,
                locator=locator,
                **dates,
            )
            done.add(described.figure.text)


def _add_document(build: LedgerBuild, document: Document) -> None:
    lines = [p for p in document.pieces if not p.hidden]
    tables = [t for grid in document.grids for t in typed_tables(grid)]
    stated = [
        *lines,
        *(p for t in tables for p in t.notes),
        *(Piece(c.text, c.locator) for t in tables for r in t.rows for c in r if len(c.text) > 8),
    ]
    dated = {
        "as_of": next((d for p in stated if (d := as_of(p.text))), ""),
        "valid_until": next((d for p in stated if (d := valid_until(p.text))), ""),
    }
    _warn_hidden(build, document)
    for rule, ja, en in document.notes:
        build.note(rule, "warn", ja, en)
    for piece in document.pieces:
        if len(build.ledger.snippets) >= MAX_SNIPPETS:
            build.note(
                "evidence_truncated",
                "warn",
                f"{document.name} は長いため途中までを根拠にしました。",
                f"{document.name} is long; only its beginning is used.",
            )
            return
        _add_piece(build, document, piece, dated)
    for table in tables:
        for piece in table.notes:
            _add_piece(build, document, piece, dated)
        if table.rows:
            _add_table(build, document, table, dated)


def _add_piece(build: LedgerBuild, document: Document, piece: Piece, dated: dict[str, str]) -> None:
    source = build.snippet(document.name, document.sha256, piece.text, piece.locator, piece.hidden)
    if not piece.hidden and looks_like_instruction(piece.text):
        build.ledger.snippets[-1].hidden = "instruction"
        build.note(
            "instruction_in_document",
            "warn",
            (
                f"{document.name}（{piece.locator}）に、作成者への指示のような文があります。"
                f"資料の記述として扱い、従わず、提案にも使っていません: 「{piece.text[:60]}」"
            ),
            (
                f"{document.name} ({piece.locator}) holds a sentence that reads like an "
                f"instruction. It was not followed nor used: '{piece.text[:60]}'"
            ),
        )
    elif not piece.hidden and not _UNIT_LINE.match(piece.text):
        _add_text_numbers(build, piece.text, source, piece.locator, **dated)


def _add_table(build: LedgerBuild, document: Document, table: TypedTable, dated: dict[str, str]) -> None:
    sources: list[str] = []
    for row in table.rows:
        text = "、".join(f"{h}={c.text}" if h else c.text for h, c in zip(table.columns, row, strict=True) if c.text)
        first, last = row[0].locator, row[-1].locator
        locator = first if first == last or " R" in first else f"{first}:{last.rpartition('!')[2]}"
        hidden = "instruction" if looks_like_instruction(text) else ""
        sources.append(build.snippet(document.name, document.sha256, text, locator, hidden))
    cells = [[""] * len(table.columns) for _ in table.rows]
    for read in table.figures():
        if build.ledger.snippets[int(sources[read.row][1:]) - 1].hidden:
            continue
        cells[read.row][read.column] = build.number(
            read.label,
            read.raw,
            read.value,
            read.unit,
            sources[read.row],
            period=read.period,
            locator=table.rows[read.row][read.column].locator,
            as_of=read.as_of or dated["as_of"],
            valid_until=read.valid_until or dated["valid_until"],
            approx=read.figure.approx,
        )
    for r, row in enumerate(table.rows):  # other figures in words (備考, 条件)
        for c, cell in enumerate(row):
            known = {build.ledger.numbers[int(i[1:]) - 1].raw for i in cells[r] if i}
            if not cell.number and len(cell.text) > 3:
                for figure in quantities(cell.text):
                    if figure.text not in known and not cells[r][c] and figure.unit:
                        build.number(
                            f"{table.row_label(r)} {table.columns[c]}".strip(),
                            figure.text,
                            figure.value or 0.0,
                            figure.full_unit,
                            sources[r],
                            locator=cell.locator,
                            **dated,
                        )
    build.ledger.tables.append(
        LedgerTable(
            id=f"T{len(build.ledger.tables) + 1}",
            title=table.title,
            file=document.name,
            locator=table.locator,
            columns=table.columns,
            rows=[[c.text for c in row] for row in table.rows],
            cells=cells,
            unit=table.unit,
        )
    )


def _warn_hidden(build: LedgerBuild, document: Document) -> None:
    """One line per attachment about what its pages do not show; one more for each piece that gives instructions."""
    concealed = [p for p in document.pieces if p.hidden and p.hidden != "document property"]
    properties = [p for p in document.pieces if p.hidden == "document property"]
    for piece in [*concealed, *properties]:
        if looks_like_instruction(piece.text):
            kind = _HIDDEN_JA.get(piece.hidden, piece.hidden)
            build.note(
                "hidden_instruction",
                "warn",
                (
                    f"{document.name}（{piece.locator}、{kind}）に、"
                    f"画面に見えない指示文があります。従わず、提案にも使っていません: 「{piece.text[:80]}」"
                ),
                (
                    f"{document.name} ({piece.locator}, {piece.hidden}) holds an instruction that its "
                    f"pages do not show. It was not followed nor used: '{piece.text[:80]}'"
                ),
            )
    if concealed:
        kinds = sorted({p.hidden for p in concealed})
        build.note(
            "hidden_text",
            "info",
            (
                f"{document.name} "
                f"に画面に見えない文字があります（{'、'.join(_HIDDEN_JA.get(k, k) for k in kinds)}）。"
                "提案には使っていません。"
            ),
            f"{document.name} holds text that its pages do not show ({', '.join(kinds)}). It was not used.",
        )


_HIDDEN_JA = {
    "comment": "コメント",
    "hidden text": "隠し文字",
    "white text": "白い文字",
    "tiny text": "極小の文字",
    "deleted text": "変更履歴の削除文",
    "alternative text": "代替テキスト",
    "document property": "文書のプロパティ",
    "hidden sheet": "非表示シート",
    "hidden row": "非表示の行",
    "hidden column": "非表示の列",
    "hidden number format": "非表示の表示形式",
    "HTML comment": "HTMLコメント",
    "invisible style": "非表示の書式",
    "invisible text": "透明な文字",
    "text outside the page": "ページ外の文字",
    "annotation": "注釈",
    "invisible characters": "見えない制御文字",
}


def _check_validity(build: LedgerBuild, documents: list[Document]) -> None:
    """A source past its validity is refused: its figures are not used, and a newer one of the same kind is named."""
    last: dict[str, tuple[str, date]] = {}
    snippet_file = {s.id: s.file for s in build.ledger.snippets}
    for number in build.ledger.numbers:
        end = last_day(number.valid_until) if number.valid_until else None
        if end and end < build.today:
            build.expired.add(number.id)
        if end:
            last[snippet_file[number.source]] = (number.valid_until, end)
    for document in documents:
        stated = next((d for p in document.pieces if not p.hidden and (d := valid_until(p.text))), "")
        if stated and document.name not in last and (end := last_day(stated)):
            last[document.name] = (stated, end)
    for name, (written, end) in last.items():
        if end < build.today:
            newer = [n for n, (_, e) in last.items() if e >= build.today and _similar(n, name)]
            build.note(
                "evidence_expired",
                "stop",
                f"{name} は有効期限（{written}）を過ぎているため、その数値は使っていません。"
                + (f"新しい資料「{newer[0]}」を使いました。" if newer else "最新の資料に差し替えてください。"),
                f"{name} is past its validity ({written}); its figures were not used. "
                + (f"The newer '{newer[0]}' was used." if newer else "Attach the current one."),
            )
            files = {s.id for s in build.ledger.snippets if s.file == name}
            build.expired.update(
                n.id
                for n in build.ledger.numbers
                if n.source in files and (not n.valid_until or _past(n.valid_until, build.today))
            )
            for snippet in build.ledger.snippets:
                if (
                    snippet.file == name
                    and not snippet.hidden
                    and not any(n.source == snippet.id and n.id not in build.expired for n in build.ledger.numbers)
                ):
                    snippet.hidden = "expired"


def _past(written: str, today: date) -> bool:
    end = last_day(written)
    return end is not None and end < today


def _similar(one: str, other: str) -> bool:
    """Whether two file names differ only in digits, dates and version marks."""
    words = [
        re.sub(r"[\d_\-().\s年月日版vV]+|new|old|latest|新|旧|最新", "", n.rpartition(".")[0].lower())
        for n in (one, other)
    ]
    return words[0] == words[1]
