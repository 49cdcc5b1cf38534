"""What a chart's data become before they are drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.proposals.model import Chart, Deck, Series
from apps.proposals.render.canvas import Kit
from apps.proposals.render.charts import number_format, prepare, steps
from apps.proposals.render.color import Palette, scheme_on
from apps.proposals.render.geometry import Box
from apps.proposals.render.measure import Typeface
from apps.proposals.render.text import Fonts


def kit() -> Kit:
    deck = Deck(title="題", client="社", slides=[])
    scheme = scheme_on(Palette({"bg1": (255, 255, 255), "tx1": (0, 0, 0)}), (255, 255, 255))
    return Kit(deck, "ja", scheme, Typeface(), Fonts(), Box(0, 0, 960, 540))


def chart(kind: str, *values: list[float | None], categories: int | None = None) -> Chart:
    wide = categories if categories is not None else len(values[0])
    series = [Series(name=f"系列{n}", values=row) for n, row in enumerate(values)]
    return Chart(type=kind, title="題", categories=[f"{n}" for n in range(wide)], series=series, unit="件")  # type: ignore[arg-type]


def rules(made: Kit) -> list[str]:
    return [finding.rule for finding in made.findings]


def test_good_data_are_plotted_as_asked_without_a_finding() -> None:
    made = kit()
    plotted = prepare(made, chart("column", [1, 2, 3]), "s")
    assert plotted is not None
    assert plotted.type == "column"
    assert made.findings == []


def test_a_short_series_is_filled_with_gaps_and_reported() -> None:
    made = kit()
    plotted = prepare(made, chart("line", [1, 2], categories=3), "s")
    assert plotted is not None
    assert plotted.values == [[1, 2, None]]
    assert rules(made) == ["render.chart_data"]


@pytest.mark.parametrize("broken", [chart("column", [], categories=0), chart("column", [None, None])])
def test_a_chart_without_data_is_refused_loudly(broken: Chart) -> None:
    made = kit()
    assert prepare(made, broken, "s") is None
    assert [(f.rule, f.severity) for f in made.findings] == [("render.chart_data", "stop")]


@pytest.mark.parametrize(
    ("asked", "drawn", "values"),
    [
        ("pie", "bar", [[1.0] * 7]),
        ("pie", "column", [[1.0, -2.0]]),
        ("pie", "column", [[1.0, 2.0], [3.0, 4.0]]),
        ("waterfall", "column", [[10.0, -30.0, 5.0]]),
        ("waterfall", "column", [[1.0, 2.0], [3.0, 4.0]]),
        ("combo", "column", [[1.0, 2.0]]),
    ],
)
def test_forms_that_cannot_show_the_data_are_replaced_visibly(
    asked: str, drawn: str, values: list[list[float]]
) -> None:
    made = kit()
    plotted = prepare(made, chart(asked, *values), "s")  # type: ignore[arg-type]
    assert plotted is not None
    assert plotted.type == drawn
    assert rules(made) == ["render.chart_type"]


def test_not_a_number_is_a_gap() -> None:
    plotted = prepare(kit(), chart("column", [1.0, float("nan"), float("inf")]), "s")
    assert plotted is not None
    assert plotted.values == [[1.0, None, None]]


def test_a_waterfall_ends_in_a_level_when_the_last_value_is_the_sum() -> None:
    first, rise, fall, last = steps([60, 5, -10, 55])
    assert (first.total, last.total) == (60, 55)
    assert (rise.base, rise.up) == (60, 5)
    assert (fall.base, fall.down) == (55, 10)


def test_without_a_sum_every_later_value_is_a_change() -> None:
    assert [step.total for step in steps([60, 5, -10])] == [60, None, None]


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=8))
def test_the_top_of_every_step_follows_the_running_total(changes: list[int]) -> None:
    values = [500.0, *map(float, changes)]
    level = 500.0
    for change, step in zip(changes, steps([*values, sum(values)])[1:], strict=False):
        after = level + change
        assert step.base == min(level, after)
        assert (step.up or 0) - (step.down or 0) == change
        level = after


@pytest.mark.parametrize(
    ("values", "unit", "form", "shown"),
    [
        ([1, 2], "件", "#,##0", "件"),
        ([1.5, 2], "件", "#,##0.0", "件"),
        ([1.234, 2], "件", "#,##0.00", "件"),
        ([12.5], "%", '#,##0.0"%"', "%"),
        ([800_000_000], "円", "#,##0,,", "百万円"),
        ([12_400_000, 7_600_000], "円", "#,##0.0,,", "百万円"),
        ([120_000], "円", "#,##0", "円"),
    ],
)
def test_number_formats_fit_the_values(values: list[float], unit: str, form: str, shown: str) -> None:
    assert number_format(values, unit, "ja") == (form, shown)
