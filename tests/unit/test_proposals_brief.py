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
        (
            "営業利益率: {前期: 4.2, 当期: 2.1, 計画: 3.8, 単位: '%'}",
            [("営業利益率", 4.2, "%", "前期", ""), ("営業利益率", 2.1, "%", "当期", ""), ("営業利益率", 3.8, "%", "", "after")],
        ),
        (
            "燃料単価: {固定前: 158円, 固定後: 142円}",
            [("燃料単価", 158, "円", "", "before"), ("燃料単価", 142, "円", "", "after")],
        ),
        (
            "Overdraft: {now: 1.2, proposed: 0.3, unit: GBP million}",
            [("Overdraft", 1.2e6, "ポンド", "", "before"), ("Overdraft", 3e5, "ポンド", "", "after")],
        ),
        ("売上は前期18億円、今期は19.5億円の見込み", [("売上", 1.8e9, "円", "前期", ""), ("売上", 1.95e9, "円", "今期", "")]),
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
    assert found.needs == ["Profit swings with USD/JPY", "Month-end closing takes 10 business days"]


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


def test_remarks_to_colleagues_in_the_notes_of_a_yaml_brief_are_withheld_and_named() -> None:
    reading = brief(
        "client: 青葉商事\nneeds: [在庫が多い]\nproducts: [在庫管理クラウド]\n"
        "notes: 工場は本社の隣です。あおば信金も提案中です。価格の話は先方から出るまでしないこと。"
    )
    kept = " ".join(item.text for item in reading.items)
    assert "本社の隣" in kept and "信金" not in kept and "価格の話" not in kept
    told = [f.message for f in reading.findings if f.rule == "brief_withheld"]
    assert any("信金" in m for m in told) and any("価格の話" in m for m in told)


MAIL = """高橋さん
明日の訪問用の資料をお願いします。相手は株式会社みどり介護サービスの田村社長です。
社長の悩みは、介護報酬の入金が2か月遅れて賞与月の資金繰りがきつくなること、それから紙の給与明細が残っていて事務が月120時間かかることです。
提案したいのはファクタリング（掛目80%、手数料年1.8%）と、給与振込・経費精算クラウド（初期費用80万円、月額9万円）の2つ。
1月に契約、2月から3月で導入、4月から本番の流れで。
報酬返還があった場合は買戻しになる点は必ず書いてください。
よろしくお願いします。
"""


def test_a_sentence_of_a_mail_that_tells_several_things_is_taken_apart() -> None:
    found = brief(MAIL, "mail.txt").brief
    assert found.needs == [
        "介護報酬の入金が2か月遅れて賞与月の資金繰りがきつくなる",
        "紙の給与明細が残っていて事務が月120時間かかる",
    ]
    assert found.products == [
        "ファクタリング（掛目80%、手数料年1.8%）",
        "給与振込・経費精算クラウド（初期費用80万円、月額9万円）",
    ]
    assert found.schedule == ["1月に契約", "2月から3月で導入", "4月から本番"]
    assert found.risks == ["報酬返還があった場合は買戻しになる"]


ENGLISH_MAIL = """Hi team,
seeing Brightwater Dairy Co-operative on Thursday (chair and finance manager, 240 member farms).
Their main worries: milk payments go out by cheque and take four people six days every month. Also they borrow GBP 5.5 million on overdraft at base rate + 3.2% to fund winter stock.
We want to offer our bulk payment portal (set-up GBP 18,000, GBP 950 a month) and a seasonal credit line of GBP 6 million at base rate + 2.1%.
With the portal the payment run should drop from six days to one.
Credit committee in January, portal live in March, credit line from September.
Please note: the credit line needs a charge over stock, that must be in the deck.
Don't mention that the previous relationship manager left.
About 11 slides, plain tone.
Thanks, Joanna
"""


def test_an_english_mail_is_read_sentence_by_sentence() -> None:
    reading = brief(ENGLISH_MAIL, "mail.txt")
    found = reading.brief
    assert found.client == "Brightwater Dairy Co-operative"
    assert found.needs[0].startswith("Milk payments go out by cheque")
    assert found.needs[1].startswith("They borrow GBP 5.5 million")
    assert found.products == [
        "bulk payment portal (set-up GBP 18,000, GBP 950 a month)",
        "seasonal credit line of GBP 6 million at base rate + 2.1%",
    ]
    assert len(found.schedule) == 3 and found.risks == ["The credit line needs a charge over stock"]
    assert found.effects and found.slide_count == 11
    assert "relationship manager" not in " ".join(item.text for item in reading.items)
