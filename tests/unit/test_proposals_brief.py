"""Briefs in the layouts people type: YAML, Markdown, labelled text, mail prose; and what is refused, by name."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from apps.proposals.brief import parse_brief, read_brief
from apps.proposals.brief.numbers import read_numbers
from kakehashi.errors import BadInput
from tests.helpers.proposal_files import BRIEFS


def brief(text: str, name: str = "brief.yaml"):  # type: ignore[no-untyped-def]
    return parse_brief(text.encode(), name)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (
            "- {label: 年間輸出額, value: 12, unit: 億円, period: 2025年3月期}",
            [("年間輸出額", 1.2e9, "円", "2025年3月期", "")],
        ),
        ("年間輸出額: 12億円", [("年間輸出額", 1.2e9, "円", "", "")]),
        ("為替コスト（万円）: 1200", [("為替コスト", 1.2e7, "円", "", "")]),
        (
            "処理時間: {現状: 40, 導入後: 12, 単位: 時間}",
            [("処理時間", 40, "時間", "", "before"), ("処理時間", 12, "時間", "", "after")],
        ),
        (
            "処理時間: 月40時間 → 月12時間",
            [("処理時間", 40, "時間/月", "", "before"), ("処理時間", 12, "時間/月", "", "after")],
        ),
        (
            "売上高: {2023年度: 40億円, 2024年度: 45億円}",
            [("売上高", 4e9, "円", "2023年度", ""), ("売上高", 4.5e9, "円", "2024年度", "")],
        ),
        ("annual_cost_jpy: 1200000", [("annual cost", 1.2e6, "円", "", "")]),
        ("- 従業員120名", [("従業員", 120, "人", "", "")]),
        ("- {項目: 売上高, 数値: 45.2, 単位: 億円}", [("売上高", 4.52e9, "円", "", "")]),
        (
            "before: {cost: 100万円}\nafter: {cost: 60万円}",
            [("cost", 1e6, "円", "", "before"), ("cost", 6e5, "円", "", "after")],
        ),
    ],
)
def test_figures_are_read_in_any_shape(shape: str, expected: list[tuple[str, float, str, str, str]]) -> None:
    numbers, empty = read_numbers(yaml.safe_load(shape), "numbers")
    assert [(n.label, n.value, n.unit, n.period, n.role) for n in numbers] == expected
    assert empty == []


def test_japanese_and_english_keys_mean_the_same() -> None:
    ja = brief("顧客: 青葉商事\n課題: [在庫が多い]\n提案商品: 在庫管理クラウド\n枚数: 9枚\n対象: 社長").brief
    en = brief(
        "client: 青葉商事\nneeds: [在庫が多い]\nproducts: 在庫管理クラウド\nslide_count: 9\naudience: 社長"
    ).brief
    assert ja == en


def test_markdown_with_tables_and_nested_bullets() -> None:
    reading = read_brief(BRIEFS / "dev" / "logistics.md")
    assert reading.brief.client == "株式会社ひまわり物流"
    assert reading.brief.needs[1] == "ドライバー不足で配車計画が属人化：ベテラン2名に集中"
    assert reading.brief.schedule == ["4月 契約", "5月〜6月 導入", "7月 本稼働"]
    assert ("空車率（提案後）", 15.0) in [(n.label, n.value) for n in reading.brief.numbers]


def test_a_mail_without_labels_is_understood() -> None:
    found = read_brief(BRIEFS / "dev" / "hospital.txt").brief
    assert (found.client, found.slide_count, found.audience) == ("医療法人社団青空会", 10, "理事長")
    assert found.products == ["医療機器リース", "設備資金の融資"]
    assert [n.endswith(("不安", "困っている")) for n in found.needs] == [True, True]


def test_an_english_brief_keeps_its_language() -> None:
    found = read_brief(BRIEFS / "dev" / "harbor_foods.txt").brief
    assert (found.client, found.language, found.slide_count) == ("Harbor Foods Ltd", "en", 11)
    assert found.needs == ["profit swings with USD/JPY", "month-end closing takes 10 business days"]


def test_unknown_keys_warn_and_keep_their_content() -> None:
    reading = brief("client: A社\nneeds: [遅い]\n好きな色: 青\nclinet: B")
    assert [f.rule for f in reading.findings] == ["brief_unknown_field", "brief_unknown_field"]
    assert "client" in reading.findings[1].message
    assert "好きな色：青" in reading.brief.free_text


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", "brief_empty", "空"),
        ("   \n", "brief_empty", "空"),
        ("client: A社\nproducts: [x]", "brief_missing_field", "needs"),
        ("needs: [遅い]", "brief_missing_field", "client"),
        ("clinet: A社\nneeds: [遅い]", "brief_missing_field", "clinet → client"),
        ("client: A社\nneeds: 5", "brief_type", "needs"),
        ("client: [A, B]\nneeds: [x]", "brief_type", "client"),
        ("client: A社\nneeds: [x]\nslide_count: たくさん", "brief_type", "整数"),
        ("client: A社\nneeds: [x]\nslide_count: 99", "brief_slide_count", "99"),
        ("client: A社\nneeds: [x]\nnumbers: たくさん", "brief_type", "numbers"),
        ("client: A: B\nneeds: [x", "brief_yaml", "行目"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, code: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        brief(text)
    assert caught.value.code == code
    assert said in str(caught.value)


def test_binary_and_missing_files_are_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    program = tmp_path / "brief.txt"
    program.write_bytes(b"MZ\x00\x01\x00binary")
    for path, code in ((program, "brief_not_text"), (tmp_path / "no.md", "brief_not_found")):
        with pytest.raises(BadInput) as caught:
            read_brief(path)
        assert (caught.value.code, path.name in str(caught.value)) == (code, True)


def test_shift_jis_is_read() -> None:
    assert parse_brief("顧客：青葉商事\n課題：在庫が多い".encode("cp932"), "b.txt").brief.client == "青葉商事"


def test_messages_come_in_english_too() -> None:
    with pytest.raises(BadInput, match="lacks needs"):
        parse_brief(b"client: A", "b.yaml", say="en")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10**9) | st.text("年売上円%12あA:、。-", max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("数値値client現状a", min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["client", "needs", "products", "numbers", "cost", "schedule", "slide_count", "x", "顧客"]),
        _VALUES,
        max_size=6,
    )
)
def test_any_yaml_is_read_or_refused_by_name(content: dict[str, object]) -> None:
    try:
        reading = parse_brief(yaml.safe_dump(content, allow_unicode=True).encode(), "b.yaml")
    except BadInput as error:
        assert error.code.startswith("brief_")
    else:
        assert reading.brief.client and reading.brief.needs


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    try:
        parse_brief(text.encode("utf-8", "ignore"), "b.txt")
    except BadInput as error:
        assert error.code.startswith("brief_")
