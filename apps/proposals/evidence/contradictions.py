"""Figures that say different things of the same label and period, in the brief and between sources."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from itertools import combinations

from apps.common.japanese.normalise import fold
from apps.proposals.evidence.dates import last_day
from apps.proposals.evidence.figures import find_figures, same_period
from apps.proposals.model import Contradiction, EvidenceNumber, Ledger

_PREFIX = re.compile(
    r"^(?:貴社|当社|御社|年間|現在の|直近の?|通期|連結|the|annual|yearly|total|current)+", re.IGNORECASE
)
_SUFFIX = re.compile(r"(?:の?合計|総額|金額|数)$")
_SYNONYMS = {
    "年商": "売上高",
    "売上": "売上高",
    "社員": "従業員",
    "職員": "従業員",
    "スタッフ": "従業員",
    "revenue": "sales",
    "turnover": "sales",
    "headcount": "employees",
    "staff": "employees",
}
_GENERIC = frozenset(
    (
        "手数料",
        "金利",
        "期間",
        "費用",
        "価格",
        "残高",
        "料率",
        "利率",
        "人",
        "件",
        "単価",
        "予算",
        "料金",
        "見積",
        "pricing",
        "cost",
        "fee",
        "rate",
        "price",
        "amount",
        "",
    )
)


@dataclass
class Disputes:
    """``older``: number ids that lost to a newer source; ``disputed``: all ids involved."""

    contradictions: list[Contradiction] = field(default_factory=list)
    disputed: set[str] = field(default_factory=set)
    older: set[str] = field(default_factory=set)


def label_key(label: str) -> str:
    """A label for comparing: 貴社の年間売上 and 売上高 are one."""
    key = fold(label).replace("の", "")
    key = _SUFFIX.sub("", _PREFIX.sub("", key)) or key
    return _SYNONYMS.get(key, key)


def find_contradictions(ledger: Ledger, ignore: set[str]) -> Disputes:
    """Compare all usable numbers by label, period and unit; within one attachment differing values are just a table."""
    found = Disputes()
    file_of = {s.id: s.file for s in ledger.snippets}
    brief = ledger.snippets[0].file if ledger.snippets else ""
    groups: dict[str, list[EvidenceNumber]] = {}
    for number in ledger.numbers:
        if number.id not in ignore and not number.formula and number.label and number.label not in number.raw:
            groups.setdefault(label_key(number.label), []).append(number)
    for key, members in groups.items():
        for one, two in combinations(members, 2):
            same_file = file_of[one.source] == file_of[two.source]
            if (
                key in _GENERIC
                or (same_file and file_of[one.source] != brief)
                or not _comparable(one, two)
                or _equal(one, two)
            ):
                continue
            if same_file and (one.source == two.source or not key):
                continue
            if not same_file and (_many(one, members, file_of) or _many(two, members, file_of)):
                continue
            _record(found, one, two, file_of, ledger)
    return found


def _many(number: EvidenceNumber, members: list[EvidenceNumber], file_of: dict[str, str]) -> bool:
    """Whether a source gives several values under this label and period: then none of them is *the* value."""
    values = {
        m.value
        for m in members
        if file_of[m.source] == file_of[number.source] and m.period == number.period and m.unit == number.unit
    }
    return len(values) > 1


def _comparable(one: EvidenceNumber, two: EvidenceNumber) -> bool:
    if one.unit.split("/")[0] != two.unit.split("/")[0] or (
        "/" in one.unit and "/" in two.unit and one.unit != two.unit
    ):
        return False
    if not one.period or not two.period:
        return True
    keys = [next((f.key for f in find_figures(n.period) if f.kind == "date"), n.period) for n in (one, two)]
    return same_period(keys[0], keys[1])


def _equal(one: EvidenceNumber, two: EvidenceNumber) -> bool:
    """Equal after rounding both to the coarser precision; 約 allows five per cent."""
    if one.value == two.value:
        return True
    if (one.approx or two.approx) and abs(one.value - two.value) <= 0.05 * max(abs(one.value), abs(two.value)):
        return True
    digits = max(2, min(_significant(one.value), _significant(two.value)))
    return f"{one.value:.{digits}g}" == f"{two.value:.{digits}g}"


def _significant(value: float) -> int:
    return len(f"{abs(value):.10f}".replace(".", "").strip("0")) or 1


def _record(found: Disputes, one: EvidenceNumber, two: EvidenceNumber, file_of: dict[str, str], ledger: Ledger) -> None:
    found.disputed.update((one.id, two.id))
    dates = [last_day(n.as_of) or date.min for n in (one, two)]
    if dates[0] != dates[1]:
        found.older.add((one if dates[0] < dates[1] else two).id)
    values = [f"{n.raw}（{n.period}）" if n.period else n.raw for n in (one, two)]
    sources = [f"{file_of[n.source]} {n.locator}".strip() for n in (one, two)]
    entry = Contradiction(values=values, sources=sources, label=one.label)
    if entry not in found.contradictions:
        found.contradictions.append(entry)
