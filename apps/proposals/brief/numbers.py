"""Figures of a brief in the many shapes people type them.

``年間輸出額: 12億円``, ``{label: …, value: 12, unit: 億円, period: 2025年3月期}``,
``{処理時間: {現状: 40, 導入後: 12, 単位: 時間}}``, ``{売上高: {2023年度: 40億円, 2024年度: 45億円}}``,
``- 従業員120名``, ``annual_cost_jpy: 1200000``, lists and dicts of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.common.japanese.normalise import half_width
from apps.proposals.brief.items import NumberItem
from apps.proposals.evidence.figures import find_figures
from apps.proposals.evidence.labels import Described, Role, describe, period_rank, split_role

_LABEL_KEYS = frozenset(
    ["label", "name", "item", "title", "key", "metric", "項目", "項目名", "名称", "名前", "指標", "ラベル", "内容"]
)
_VALUE_KEYS = frozenset(["value", "amount", "figure", "number", "値", "数値", "数字", "金額", "量"])
_UNIT_KEYS = frozenset(["unit", "units", "単位", "currency", "通貨"])
_PERIOD_KEYS = frozenset(
    ["period", "as_of", "asof", "date", "year", "期間", "時点", "年度", "期", "対象期間", "基準日"]
)
_KNOWN = _LABEL_KEYS | _VALUE_KEYS | _UNIT_KEYS | _PERIOD_KEYS
_COLON = re.compile(r"^(?P<label>[^:：=＝]{1,40}?)\s*[:：=＝]\s*(?P<rest>.+)$", re.DOTALL)
_UNIT_IN_LABEL = re.compile(r"[\s_]*[（(\[](?:単位\s*[:：]?\s*)?(?P<unit>[^（）()\[\]]+)[)）\]]\s*$")
_UNIT_SUFFIX = re.compile(
    r"_(?P<unit>jpy|usd|eur|yen|hours|days|months|percent|pct|people|million_yen|億円|万円|百万円|千円|円|時間|名|人|件)$",
    re.IGNORECASE,
)


_CURRENCY_UNIT = re.compile(
    r"(?P<code>JPY|USD|EUR|GBP|CNY)(?:\s+(?P<scale>thousand|million|billion|k|mn?|bn))?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Context:
    """What the levels above have said of the figures below."""

    label: str = ""
    unit: str = ""
    period: str = ""
    role: Role = ""

    def named(self, key: str) -> _Context:
        """One level deeper, under a key that is a role, a period, or a (part of a) label, perhaps with its unit."""
        unit = next((m for p in (_UNIT_IN_LABEL, _UNIT_SUFFIX) if (m := p.search(key)) and _is_unit(m["unit"])), None)
        name = (key[: unit.start()] if unit else key).strip().replace("_", " ")
        known_unit = unit["unit"].replace("_", " ") if unit else self.unit
        base, role = split_role(name)
        if role and not base and unit and not self.label:
            base = known_unit
        dates = [f for f in find_figures(name) if f.kind == "date"]
        if role and not base:
            return replace(self, role=role, unit=known_unit)
        if self.label and ((dates and dates[0].text == name) or period_rank(name) is not None):
            return replace(self, period=name, unit=known_unit)
        label = f"{self.label} {base}".strip() if self.label else base
        return replace(self, label=label, role=role or self.role, unit=known_unit)


def _is_unit(word: str) -> bool:
    return bool(_with_unit("1", word)[2])


def _with_unit(raw: str, unit: str) -> tuple[str, float, str]:
    """A bare number and its unit as one figure: text, plain value, canonical unit ("" when it is not understood)."""
    word = unit.strip().replace("_", " ")
    currency = _CURRENCY_UNIT.fullmatch(word)
    if currency:
        text = f"{currency['code'].upper()} {raw} {currency['scale'] or ''}".strip()
    else:
        text = f"{raw} {word}" if word[:1].isascii() and word[:1].isalpha() else raw + word
    found = [f for f in find_figures(text) if f.kind == "quantity"]
    return (text, found[0].value or 0.0, found[0].full_unit) if found else (text, 0.0, "")


def read_numbers(value: Any, locator: str) -> tuple[list[NumberItem], list[str]]:
    """All figures below a value, and the locators of entries that hold none."""
    numbers: list[NumberItem] = []
    empty: list[str] = []
    for found, where in _walk(value, locator, _Context()):
        if found is None:
            empty.append(where)
        else:
            numbers.append(found)
    return numbers, empty


def _walk(value: Any, locator: str, context: _Context) -> Iterator[tuple[NumberItem | None, str]]:
    if isinstance(value, Mapping):
        yield from _mapping(value, locator, context)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _walk(item, f"{locator}[{index}]", context)
    elif isinstance(value, bool) or value is None:
        yield None, locator
    elif isinstance(value, int | float):
        yield from _text(_plain(value), locator, context)
    else:
        yield from _text(str(value), locator, context)


def _mapping(value: Mapping[Any, Any], locator: str, context: _Context) -> Iterator[tuple[NumberItem | None, str]]:
    keys = {str(k).strip().lower(): k for k in value}
    own = {
        name: next((value[keys[k]] for k in keys if k in group), None)
        for name, group in (
            ("label", _LABEL_KEYS),
            ("value", _VALUE_KEYS),
            ("unit", _UNIT_KEYS),
            ("period", _PERIOD_KEYS),
        )
    }
    if own["label"] is not None:
        context = context.named(str(own["label"]))
    if own["unit"] is not None:
        context = replace(context, unit=str(own["unit"]))
    if own["period"] is not None:
        context = replace(context, period=str(own["period"]))
    if own["value"] is not None:
        yield from _walk(own["value"], locator, context)
    rest = [k for k in value if str(k).strip().lower() not in _KNOWN]
    if own["value"] is not None:
        return
    for key in rest:
        yield from _walk(value[key], f"{locator}.{key}", context.named(str(key)))


def _text(text: str, locator: str, context: _Context) -> Iterator[tuple[NumberItem | None, str]]:
    colon = _COLON.match(text)
    if colon and not context.label and not re.search(r"\d", half_width(colon["label"])):
        context, text = context.named(colon["label"].strip(" ・-*●")), colon["rest"]
    found = describe(text)
    if not found:
        if not (context.label and any(f.kind == "date" for f in find_figures(text))):
            yield None, locator
        return  # a date is kept as text of the brief, it is no quantity
    kept = _leading(found) if context.label else found
    for described in kept:
        yield _item(described, locator, context, alone=len(kept) == 1), locator


def _leading(found: list[Described]) -> list[Described]:
    """Under a given label, the figures that carry it: the first, its partner in a change, the same at other times."""
    first = found[0]
    return [
        first,
        *(d for d in found[1:] if d.figure.unit == first.figure.unit and (d.role or d.period != first.period)),
    ]


def _item(described: Described, locator: str, context: _Context, *, alone: bool) -> NumberItem:
    figure = described.figure
    value, raw, unit = figure.value or 0.0, figure.text, figure.full_unit
    if context.unit and not figure.unit:
        raw, combined, known = _with_unit(raw, context.unit)
        value, unit = (combined, known) if known else (value, context.unit)
    label = context.label or described.label
    base, role = split_role(label)
    return NumberItem(
        label=base or label,
        raw=raw,
        value=value,
        unit=unit,
        locator=locator,
        period=context.period or described.period,
        role=described.role or role or context.role,
        change=described.change,
        approx=figure.approx,
    )


def _plain(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}" if value == int(value) else repr(value)
