"""Printing values the way their sources do, and calculations shown with their parts (C1 = E3 − E4)."""

from __future__ import annotations

import re

from apps.common.japanese.normalise import half_width
from apps.proposals.model import EvidenceNumber, Ledger

_SCALES = (("百万", 1e6), ("千万", 1e7), ("億", 1e8), ("万", 1e4), ("千", 1e3))
_EN_SCALES = (("billion", 1e9), ("million", 1e6), ("thousand", 1e3), ("bn", 1e9), ("mn", 1e6))


def plain(value: float, digits: int = 1) -> str:
    """1234.50 → 1,234.5; without a needless fraction."""
    rounded = round(value, digits)
    return f"{int(rounded):,}" if rounded == int(rounded) else f"{rounded:,.{digits}f}".rstrip("0").rstrip(".")


def like(value: float, model: EvidenceNumber, *, unit: str | None = None) -> str:
    """A value printed in the manner of another figure: same scale (万, 億, 百万, million), same unit and divisor."""
    raw = half_width(model.raw)
    match = re.search(r"[-▲△]?\d[\d,.]*(?:[\d,.億万千兆]*\d)?", raw)
    if match is None:
        return plain(value, 2) + (unit or "")
    before, after = raw[: match.start()].rstrip("-▲△"), raw[match.end() :]
    if unit is not None:
        return plain(value, 2) + unit
    if re.search(r"[億万]", match[0]):
        return before + japanese_scaled(value) + re.sub(r"^[億万千兆]+", "", after)
    for word, factor in (*_SCALES, *_EN_SCALES):
        if re.match(rf"\s?{word}", after):
            if word in ("億", "万", "千", "千万"):
                return before + japanese_scaled(value) + re.sub(rf"^\s?{word}", "", after)
            return before + plain(value / factor, 2) + after
    for letter, factor in (("bn?", 1e9), ("mn?", 1e6), ("k", 1e3)):
        if re.match(rf"\s?{letter}(?![a-z])", after, re.IGNORECASE):
            return before + plain(value / factor, 2) + after
    return before + plain(value, 2) + after


def japanese_scaled(value: float) -> str:
    """123000000 → 1億2,300万."""
    sign, rest = ("-" if value < 0 else ""), round(abs(value))
    parts = []
    for word, factor in (("兆", 10**12), ("億", 10**8), ("万", 10**4)):
        amount, rest = divmod(rest, factor)
        if amount:
            parts.append(f"{amount:,}{word}")
    if rest or not parts:
        parts.append(f"{rest:,}")
    return sign + "".join(parts)


class Calculator:
    """Adds calculations over ledger numbers to the ledger as C1, C2 …; the same calculation is added once."""

    def __init__(self, ledger: Ledger, language: str = "ja") -> None:
        self.ledger = ledger
        self._points = "ポイント" if language == "ja" else " percentage points"

    def _add(self, label: str, raw: str, value: float, unit: str, formula: str, source: str) -> EvidenceNumber:
        for number in self.ledger.numbers:
            if number.formula == formula:
                return number
        count = sum(1 for n in self.ledger.numbers if n.formula)
        number = EvidenceNumber(
            id=f"C{count + 1}", label=label, raw=raw, value=value, unit=unit, source=source, formula=formula
        )
        self.ledger.numbers.append(number)
        return number

    def difference(self, one: EvidenceNumber, two: EvidenceNumber, label: str) -> EvidenceNumber:
        """|one − two| in the manner of ``one``; between percentages it is points."""
        value = abs(one.value - two.value)
        unit = {"%": "ポイント"}.get(one.unit, one.unit)
        raw = like(value, one, unit=self._points) if one.unit == "%" else like(value, one)
        if raw == "1 percentage points":
            raw = raw.removesuffix("s")
        first, second = (one, two) if one.value >= two.value else (two, one)
        return self._add(label, raw, value, unit, f"{first.id} − {second.id}", one.source)

    def change(self, before: EvidenceNumber, after: EvidenceNumber, label: str) -> EvidenceNumber | None:
        """The change in per cent of ``before``; None where it says nothing (from zero or negative, between rates)."""
        if before.value <= 0 or before.unit.startswith("%") or after.value < 0:
            return None
        value = abs(after.value - before.value) / before.value * 100
        first, second = (before, after) if before.value >= after.value else (after, before)
        formula = f"({first.id} − {second.id}) ÷ {before.id} × 100"
        return self._add(label, f"{plain(value)}%", round(value, 1), "%", formula, before.source)

    def total(self, parts: list[EvidenceNumber], label: str) -> EvidenceNumber:
        """The sum of figures of one unit."""
        value = sum(n.value for n in parts)
        return self._add(
            label, like(value, parts[0]), value, parts[0].unit, " + ".join(n.id for n in parts), parts[0].source
        )

    def first_year(
        self, once: list[EvidenceNumber], monthly: list[EvidenceNumber], yearly: list[EvidenceNumber], label: str
    ) -> EvidenceNumber:
        """One-off costs, twelve monthly ones and a yearly one."""
        value = sum(n.value for n in once) + 12 * sum(n.value for n in monthly) + sum(n.value for n in yearly)
        model = (once or yearly or monthly)[0]
        terms = [n.id for n in once] + [f"{n.id} × 12" for n in monthly] + [n.id for n in yearly]
        raw = re.sub(
            r"/月|/年|^月額?|^年額?|/month| a month| per month| a year| per year|/year", "", like(value, model)
        )
        return self._add(label, raw, value, model.unit.split("/")[0], " + ".join(terms), model.source)

    def reduced(self, base: EvidenceNumber, rate: EvidenceNumber, sign: int, label: str) -> EvidenceNumber:
        """``base`` after a change of ``rate`` per cent: the state the brief aims at."""
        value = base.value * (1 + sign * abs(rate.value) / 100)
        mark = "−" if sign < 0 else "＋"
        return self._add(
            label, like(value, base), value, base.unit, f"{base.id} × (100% {mark} {rate.id})", base.source
        )
