"""Figures of a text: values, units, periods, labels; and that no digit escapes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.japanese.normalise import half_width
from apps.proposals.evidence.figures import find_figures, same_period
from apps.proposals.evidence.labels import describe, split_role


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("約12億3,000万円", 1_230_000_000, "円"),
        ("▲1.5%", -1.5, "%"),
        ("月20時間", 20, "時間/月"),
        ("30万円/月", 300_000, "円/月"),
        ("USD 12 million", 12_000_000, "ドル"),
        ("$3.5m", 3_500_000, "ドル"),
        ("JPY 300 million", 300_000_000, "円"),
        ("４，５００百万円", 4_500_000_000, "円"),
        ("三億円", 300_000_000, "円"),
        ("五割", 50, "%"),
        ("200床", 200, "床"),
        ("20 hours per month", 20, "時間/月"),
        ("年間 1,200 万円", 12_000_000, "円/年"),
        ("10営業日", 10, "営業日"),
    ],
)
def test_a_quantity_has_its_plain_value_and_unit(text: str, value: float, unit: str) -> None:
    figure = next(f for f in find_figures(text) if f.kind == "quantity")
    assert (figure.value, figure.full_unit) == (value, unit)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2025年3月期", "FY2024"),
        ("2024年度", "FY2024"),
        ("FY2024", "FY2024"),
        ("令和7年4月1日", "2025-04-01"),
        ("R7.4.1", "2025-04-01"),
        ("2026年9月末", "2026-09"),
        ("4月", "--04"),
        ("30 June 2026", "2026-06-30"),
        ("April 2026", "2026-04"),
        ("2025-04-01", "2025-04-01"),
        ("2025年度上期", "FY2025-H1"),
        ("2024/3期", "FY2023"),
        ("Q1", "Q1"),
        ("1Q", "Q1"),
        ("令和元年度", "FY2019"),
    ],
)
def test_a_date_has_one_key_however_written(text: str, key: str) -> None:
    assert [(f.kind, f.key) for f in find_figures(text)] == [("date", key)]


def test_durations_and_names_are_no_dates() -> None:
    assert [f.kind for f in find_figures("15年のリースとISO27001")] == ["quantity", "name"]


def test_month_is_contained_in_its_days_and_in_its_year() -> None:
    assert same_period("2026-04", "2026-04-01")
    assert same_period("--04", "2026-04-01")
    assert not same_period("FY2025", "2025")
    assert not same_period("--04", "2026-05")


@given(st.text(alphabet=st.sampled_from("0123456789,.年月日円%万億期度件名時間/-〜→（）、。売上ABC Qm"), max_size=40))
def test_every_digit_belongs_to_exactly_one_figure(text: str) -> None:
    figures = find_figures(text)
    covered = [i for f in figures for i in range(f.start, f.end)]
    digits = {m.start() for m in re.finditer(r"\d", half_width(text))}
    assert digits <= set(covered)
    assert len(covered) == len(set(covered))
    assert all(text[f.start : f.end] == f.text for f in figures)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("年間輸出額：500万ドル（2025年3月期）", [("年間輸出額", "2025年3月期", 0, "")]),
        ("事務時間を20%削減します", [("事務時間", "", -1, "")]),
        ("現在の処理時間は月40時間、導入後は月12時間", [("処理時間", "", 0, "before"), ("処理時間", "", 0, "after")]),
        ("粗利率は18%から14%に低下", [("粗利率", "", 0, "before"), ("粗利率", "", 0, "after")]),
        ("輸入原材料の仕入れは年間8億円", [("輸入原材料の仕入れ", "", 0, "")]),
        ("支払手数料（現状）年600万円", [("支払手数料", "", 0, "before")]),
        ("FY2024 export sales were USD 12 million", [("export sales", "FY2024", 0, "")]),
        ("従業員120名、3拠点", [("従業員", "", 0, ""), ("拠点", "", 0, "")]),
    ],
)
def test_the_sentence_says_what_a_figure_is(text: str, expected: list[tuple[str, str, int, str]]) -> None:
    assert [(d.label, d.period, d.change, d.role) for d in describe(text)] == expected


@pytest.mark.parametrize(
    ("label", "base", "role"),
    [
        ("処理時間（現状）", "処理時間", "before"),
        ("Target cost", "cost", "after"),
        ("売上高", "売上高", ""),
        ("導入後の件数", "件数", "after"),
    ],
)
def test_a_label_tells_before_from_after(label: str, base: str, role: str) -> None:
    assert split_role(label) == (base, role)
