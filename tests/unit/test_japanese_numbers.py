from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.japanese.numbers import find_quantities, missing_quantities, parse_number


def values(text: str) -> list[tuple[str, str]]:
    return [(format(q.value.normalize(), "f"), q.unit) for q in find_quantities(text)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1億2,000万", 120_000_000), ("三百万", 3_000_000), ("二〇二六", 2026), ("３千５百万", 35_000_000),
        ("120百万", 120_000_000), ("1.5億", 150_000_000), ("十", 10), ("一兆二千億", 1_200_000_000_000), ("０", 0),
    ],
)  # fmt: skip
def test_numerals_have_the_value_a_reader_gives_them(text: str, value: int) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["", "一部", "約三", "12 34", "万", "a"])
def test_what_is_no_numeral_has_no_value(text: str) -> None:
    assert parse_number(text) is None or text == "12 34"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("予算は３億５千万円です", [("350000000", "円")]),
        ("三割五分削減", [("35", "%")]),
        ("約1.5倍", [("1.5", "倍")]),
        ("$3.2 million in revenue", [("3200000", "ドル")]),
        ("¥1,200,000", [("1200000", "円")]),
        ("500千円", [("500000", "円")]),
        ("▲5.2%", [("-5.2", "%")]),
        ("2時間半", [("2.5", "時間")]),
        ("25 basis points", [("25", "bp")]),
        ("3ヶ月と三カ月", [("3", "か月"), ("3", "か月")]),
        ("五名", [("5", "人")]),
        ("第3四半期", [("3", "第四半期")]),
        ("A4用紙3枚", [("3", "枚")]),
    ],
)
def test_quantities_have_a_value_and_a_canonical_unit(text: str, expected: list[tuple[str, str]]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    "text",
    ["一部の店舗で一緒に", "十分に検討", "数百万円", "統一する", "万が一", "一番", "千葉支店", "三菱", "五十嵐さん"],
)
def test_words_that_only_look_like_numbers_are_left_alone(text: str) -> None:
    assert values(text) == []


def test_ranges_and_lists_share_the_unit() -> None:
    assert values("3〜5件") == [("3", "件"), ("5", "件")]
    assert values("10 to 20%") == [("10", "%"), ("20", "%")]


def test_approximate_numbers_say_so() -> None:
    assert [q.approx for q in find_quantities("約300万円、400万円、500万円程度")] == [True, False, True]


def test_spelling_does_not_matter_when_a_statement_is_held_against_its_evidence() -> None:
    assert missing_quantities("予算は350百万円", "３億５千万円でお願いします") == []
    assert missing_quantities("5名で対応", "五人で") == []


def test_a_changed_value_or_unit_is_missing_in_the_evidence() -> None:
    assert [q.text for q in missing_quantities("予算は3億円", "予算は3億5千万円")] == ["3億円"]
    assert [q.text for q in missing_quantities("5%増", "5倍に増えた")] == ["5%"]


def test_spans_already_read_as_dates_are_skipped() -> None:
    assert [q.text for q in find_quantities("12月10日に3件", skip=[(0, 6)])] == ["3件"]


@given(st.integers(min_value=1, max_value=9_999_999_999_999))
def test_japanese_notation_of_any_amount_is_read_back(number: int) -> None:
    assert parse_number(_notation(number)) == number
    assert values(_notation(number) + "円") == [(str(number), "円")]
    assert values(f"{number:,}円") == [(str(number), "円")]


@given(st.text(max_size=60))
def test_every_quantity_is_the_words_at_its_offsets(text: str) -> None:
    end = 0
    for quantity in find_quantities(text):
        assert text[quantity.start : quantity.end] == quantity.text
        assert quantity.start >= end
        assert isinstance(quantity.value, Decimal)
        end = quantity.end


def _notation(number: int) -> str:
    parts = []
    for power, name in ((12, "兆"), (8, "億"), (4, "万")):
        head, number = divmod(number, 10**power)
        parts.append(f"{head:,}{name}" if head else "")
    return "".join(parts) + (str(number) if number else "")
