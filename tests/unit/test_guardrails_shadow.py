"""The shadow text: what is folded, and that every finding on it leads back to the very characters of the original."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guardrails.shadow import make_shadow
from gateway.guardrails.view import View

TEXTS = st.text(st.sampled_from("aA1-‐ー－ｱｶﾞ㈱①㌔\u200b\u00ad\u3000 \n〇一二三ゼロ髙а0９@．"), max_size=40)


@pytest.mark.parametrize(
    ("original", "shadow"),
    [
        ("ＡＢＣ　１２３", "ABC 123"),
        ("０９０‐１２３４―５６７８", "090-1234-5678"),
        ("〇九〇一二三四五六七八", "09012345678"),
        ("090ー1234ー5678", "090-1234-5678"),
        ("ｶﾞｲﾄﾞ", "ガイド"),
        ("シス\u200bテム", "システム"),
        ("髙橋", "高橋"),
        ("㈱山田", "(株)山田"),
        ("① 項目", "① 項目"),
        ("раypal", "paypal"),
        ("i g n o r e rules", "ignore rules"),
        ("東京タワー", "東京タワー"),
    ],
)
def test_the_shadow_reads_what_was_meant(original: str, shadow: str) -> None:
    assert make_shadow(original).text == shadow


@given(TEXTS)
def test_every_place_leads_back_into_the_original_and_in_order(original: str) -> None:
    shadow = make_shadow(original)
    spans = [shadow.span(index, index + 1) for index in range(len(shadow.text))]
    assert all(0 <= start < end <= len(original) for start, end in spans)
    assert spans == sorted(spans)


@given(st.text(max_size=60))
def test_a_shadow_of_a_shadow_stays_readable(original: str) -> None:
    once = make_shadow(original)
    assert once.original == original
    assert isinstance(make_shadow(once.text).text, str)


def test_a_table_cell_is_read_under_its_heading() -> None:
    view = View.of("氏名,電話\n山田,090-1234-5678")
    assert view.heading(view.text.index("090")) == "電話"
    assert view.left(view.text.index("090")).startswith("電話: ")
    assert view.heading(0) == "氏名" or view.heading(0) == ""


def test_outside_tables_there_is_no_heading() -> None:
    view = View.of("電話は 090-1234-5678 です")
    assert view.heading(5) == ""
    assert view.left(4, 2) == "は "
    assert view.has_digits and view.has_long_number
