"""Slides by rules: which there are, what they say, what is calculated, and which notices they carry."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from apps.proposals.disclosures import disclosures_for
from apps.proposals.disclosures.select import packs_of, registry
from apps.proposals.model import Brief, Deck, EvidenceNumber, Ledger, Slide
from apps.proposals.pipeline import Models, Request, build, prepare
from apps.proposals.story.material import Point
from apps.proposals.story.skeleton import CORE
from apps.proposals.writing.plan import read_schedule, schedule_of
from apps.proposals.writing.support import covered
from apps.proposals.writing.values import Calculator, japanese_scaled, like
from apps.proposals.writing.verify import Link, verify
from apps.proposals.writing.words import Words
from tests.helpers.proposal_files import BRIEFS, results_xlsx

TODAY = date(2026, 11, 23)
ALL = sorted(p for p in BRIEFS.rglob("*") if p.is_file() and p.stem != "missing_needs")


def make(path: Path, work: Path, *evidence: Path, slides: int | None = None) -> Deck:
    return build(Request(path, evidence, slides=slides, today=TODAY), Models(), work=work).deck


def text_brief(folder: Path, text: str) -> Path:
    path = folder / "brief.yaml"
    path.write_text(text, "utf-8")
    return path


def slide(deck: Deck, kind: str) -> Slide:
    return next(s for s in deck.slides if s.kind == kind)


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_every_brief_ends_in_a_deck_whose_figures_are_all_traced(path: Path, tmp_path: Path) -> None:
    draft = build(Request(path, today=TODAY), Models(), work=tmp_path)
    assert [n for n in draft.report.numbers if n.status == "untraced"] == []
    assert all(s.title and (s.body or s.table or s.schedule or s.kind == "title") for s in draft.deck.slides)
    assert len({s.title for s in draft.deck.slides}) == len(draft.deck.slides)
    assert len({s.id for s in draft.deck.slides}) == len(draft.deck.slides)
    assert all(s.notes for s in draft.deck.slides)


def test_the_contract_holds_without_a_wanted_count(tmp_path: Path) -> None:
    deck = make(BRIEFS / "dev" / "logistics.md", tmp_path)
    assert tuple(s.kind for s in deck.slides) == CORE
    assert (
        slide(deck, "effect").chart
        and slide(deck, "comparison").table
        and slide(deck, "schedule").schedule
        and slide(deck, "cost").table
    )


@pytest.mark.parametrize("count", [3, 5, 8, 11])
def test_the_wanted_count_is_met_by_leaving_out_the_least_needed(count: int, tmp_path: Path) -> None:
    draft = build(Request(BRIEFS / "dev" / "logistics.md", slides=count, today=TODAY), Models(), work=tmp_path)
    kinds = [s.kind for s in draft.deck.slides]
    assert len(kinds) == count and kinds[0] == "title" and kinds[-1] == "notes"
    assert any(f.rule == "slides_omitted" for f in draft.report.findings) == (count < 11)


def test_more_slides_are_made_only_where_there_is_material(tmp_path: Path) -> None:
    draft = build(Request(BRIEFS / "heldout" / "no_numbers.txt", slides=25, today=TODAY), Models(), work=tmp_path)
    assert len(draft.deck.slides) < 25
    assert any(f.rule == "slides_fewer" for f in draft.report.findings)


def test_before_and_after_make_the_chart_and_the_calculation(tmp_path: Path) -> None:
    effect = slide(make(BRIEFS / "dev" / "fx_manufacturer.yaml", tmp_path), "effect")
    assert effect.chart and effect.chart.series[0].values == [40, 15]
    assert "25時間/月（62.5%）減少" in effect.title
    assert any("40時間/月 − 15時間/月 = 25時間/月" in b.text for b in effect.body)


def test_a_fall_described_as_a_problem_is_no_effect(tmp_path: Path) -> None:
    effect = slide(make(BRIEFS / "dev" / "logistics.md", tmp_path), "effect")
    assert "粗利率" not in effect.title


def test_a_development_over_years_is_shown_in_order(tmp_path: Path) -> None:
    effect = slide(make(BRIEFS / "dev" / "sme_loan.yaml", tmp_path), "effect")
    assert effect.chart and effect.chart.categories == ["2023年3月期", "2024年3月期", "2025年3月期"]


def test_without_figures_the_effect_is_open_and_nothing_is_invented(tmp_path: Path) -> None:
    draft = build(Request(BRIEFS / "heldout" / "no_numbers.txt", today=TODAY), Models(), work=tmp_path)
    effect = slide(draft.deck, "effect")
    assert effect.chart is None and "要確認" in effect.title
    assert any(f.rule == "effect_without_numbers" and f.severity == "stop" for f in draft.report.findings)


def test_cost_is_added_up_by_code(tmp_path: Path) -> None:
    cost = slide(make(BRIEFS / "dev" / "fx_manufacturer.yaml", tmp_path), "cost")
    assert cost.table and cost.table.rows[-1] == ["初年度合計", "294万円", "計算：150万円 + 12万円 × 12か月"]


def test_an_english_brief_gives_an_english_deck(tmp_path: Path) -> None:
    deck = make(BRIEFS / "heldout" / "mill_english.yaml", tmp_path)
    shown = " ".join([s.title + " ".join(b.text for b in s.body) for s in deck.slides])
    assert not any("぀" <= c <= "鿿" for c in shown)


def test_contradicting_figures_are_marked_where_they_stand(tmp_path: Path) -> None:
    brief = text_brief(
        tmp_path,
        (
            "client: A社\nneeds: "
            "[年間輸出額12億円の為替変動が不安]\nproducts: [為替予約]\nbackground: 年間輸出額は10億円。\n"
        ),
    )
    draft = build(Request(brief, today=TODAY), Models(), work=tmp_path / "w")
    assert draft.report.contradictions[0].values == ["12億円", "10億円"]
    issues = slide(draft.deck, "issues")
    assert issues.body[0].text.endswith("（要確認）")


def test_attachments_feed_issues_and_sources(tmp_path: Path) -> None:
    deck = make(BRIEFS / "dev" / "fx_manufacturer.yaml", tmp_path / "w", results_xlsx(tmp_path / "results.xlsx"))
    issues = slide(deck, "issues")
    assert any("営業利益は2023年3月期の310百万円から2025年3月期の182百万円へ" in b.text for b in issues.body)
    assert issues.sources == ["results.xlsx"]


@pytest.mark.parametrize(
    ("lines", "columns", "phases"),
    [
        (
            ["2026年12月 ご契約", "2027年1月〜2月 設定"],
            ["2026年12月", "2027年1月", "2月"],
            [("ご契約", 0, 0), ("設定", 1, 2)],
        ),
        (
            ["1か月目：要件定義", "2〜3か月目：設定"],
            ["1か月目", "2か月目", "3か月目"],
            [("要件定義", 0, 0), ("設定", 1, 2)],
        ),
        (["12月 契約", "2月 稼働"], ["2026年12月", "2027年1月", "2月"], [("契約", 0, 0), ("稼働", 2, 2)]),
    ],
)
def test_schedules_are_read_from_dates(
    lines: list[str], columns: list[str], phases: list[tuple[str, int, int]]
) -> None:
    dated, calendar = read_schedule([Point(line) for line in lines], 2026, 11)
    plan = schedule_of(dated, calendar, Words("ja"))
    assert plan.columns == columns
    assert [(p.name, p.start, p.end) for p in plan.phases] == phases


def test_an_undated_schedule_is_a_marked_draft(tmp_path: Path) -> None:
    brief = text_brief(tmp_path, "client: A社\nneeds: [遅い]\nproducts: [受発注クラウド]\n")
    draft = build(Request(brief, today=TODAY), Models(), work=tmp_path / "w")
    assert any(f.rule == "schedule_assumed" for f in draft.report.findings)


def number(raw: str, value: float, unit: str, name: str = "E1") -> EvidenceNumber:
    return EvidenceNumber(id=name, label="x", raw=raw, value=value, unit=unit, source="D1")


@pytest.mark.parametrize(
    ("value", "model", "printed"),
    [
        (2.5e7, ("4,000万円", 4e7, "円"), "2,500万円"),
        (1.2e8, ("2億円", 2e8, "円"), "1億2,000万円"),
        (1.28e8, ("310百万円", 3.1e8, "円"), "128百万円"),
        (25, ("月40時間", 40, "時間/月"), "月25時間"),
        (2.4e6, ("JPY 200,000", 2e5, "円"), "JPY 2,400,000"),
        (8.5e6, ("USD 15 million", 1.5e7, "ドル"), "USD 8.5 million"),
    ],
)
def test_results_are_printed_like_their_parts(value: float, model: tuple[str, float, str], printed: str) -> None:
    assert like(value, number(*model)) == printed


def test_percentages_differ_in_points_and_have_no_rate() -> None:
    calculator = Calculator(Ledger())
    one, two = number("22%", 22, "%"), number("15%", 15, "%", "E2")
    assert calculator.difference(one, two, "空車率").raw == "7ポイント"
    assert calculator.change(one, two, "空車率") is None
    assert japanese_scaled(123_450_000) == "1億2,345万"


@pytest.mark.parametrize(
    ("products", "packs"),
    [
        (["為替予約（先物）"], ["fx_forward"]),
        (["運転資金融資 8,000万円", "配車管理SaaS"], ["loan", "it"]),
        (["通貨オプション"], ["derivatives"]),
        (["外貨定期預金"], ["fx_deposit"]),
        (["投資信託（バランス型）"], ["fund"]),
        (["事業承継コンサルティング"], ["succession"]),
        (["医療機器リース"], ["lease"]),
        (["企業型確定拠出年金"], ["pension"]),
        (["企業研修"], ["general"]),
        (["Maintenance service"], ["general"]),
    ],
)
def test_notices_follow_the_class_of_the_product(products: list[str], packs: list[str]) -> None:
    assert [p["id"] for p in packs_of(products)] == packs


def test_loans_do_not_demand_a_registration_number() -> None:
    loan = disclosures_for(Brief(client="A", products=["証書貸付"], company="B銀行"), prepared="2026年1月1日")
    fund = disclosures_for(Brief(client="A", products=["投資信託"], company="B銀行"), prepared="2026年1月1日")
    assert "登録" not in "".join(loan.notices) and loan.findings == []
    assert "登録金融機関" in fund.notices[0]


def test_professional_investors_are_spared_what_the_law_spares_them() -> None:
    general = disclosures_for(Brief(client="A", products=["金利スワップ"]), prepared="")
    professional = disclosures_for(
        Brief(client="A", products=["金利スワップ"], customer_class="professional"), prepared=""
    )
    assert any("契約締結前" in n for n in general.notices) and not any("契約締結前" in n for n in professional.notices)
    assert any("損失" in n for n in professional.notices)


def test_every_pack_is_complete_in_both_languages() -> None:
    for pack in [*registry()["packs"], registry()["general"]]:
        for notice in pack["notices"]:
            assert notice["id"] and notice["ja"].endswith("。") and notice["en"].endswith("."), notice
            assert set(notice) <= {"id", "ja", "en", "beside", "customer"}, notice  # a comma cuts an unquoted text
        assert all(len(r["ja"]) == 2 and len(r["en"]) == 2 for r in pack["risks"]), pack["id"]


KNOWN = "円安で営業利益がぶれる 為替予約 資金繰り表の作成時間 手作業 みなと精機"
NUMBERS = {
    "E4": EvidenceNumber(
        id="E4", label="資金繰り表の作成時間（現状）", raw="40時間", value=40, unit="時間", source="D1"
    )
}


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("為替予約の活用により、営業利益のぶれを抑えます", True),
        ("資金繰り表の作成時間は{{E4}}に達しています", True),
        ("資金繰り表の作成時間を{{E4}}削減します", False),
        ("資金繰り表の作成時間は40時間です", False),
        ("資金繰り表の作成は四十時間かかっています", False),
        ("営業利益を必ず守ります", False),
        ("トヨタと同じ為替予約を使います", False),
        ("円高で営業利益がぶれています", False),
        ("The profit is volatile today", False),
        ("资金繰り表的作成很慢です", False),
        ("資金繰り表の作成時間は{{E9}}です", False),
        ("短い", False),
    ],
)
def test_the_model_may_only_say_what_the_material_says(text: str, accepted: bool) -> None:
    verdict = verify(text, KNOWN, NUMBERS, "ja", limit=60)
    assert bool(verdict.text) == accepted, verdict
    assert accepted or verdict.reason


def test_code_mends_endings_emphasis_and_extra_sentences() -> None:
    verdict = verify(
        "為替予約により、営業利益のぶれを大幅に抑制する。また、みなと精機は伸びる。", KNOWN, NUMBERS, "ja", limit=60
    )
    assert verdict.text == "為替予約により、営業利益のぶれを抑制します"


def test_a_product_is_not_credited_with_what_another_does() -> None:
    links = (Link("営業利益のぶれ", "為替予約"), Link("資金繰り表の作成時間", "資金管理クラウド"))
    known = KNOWN + " 資金管理クラウド"
    wrong = verify("為替予約により、資金繰り表の作成時間を減らします", known, {}, "ja", limit=60, links=links)
    right = verify("資金管理クラウドにより、資金繰り表の作成時間を減らします", known, {}, "ja", limit=60, links=links)
    assert "別の商品" in wrong.reason and right.text


def test_words_are_put_together_from_known_pieces() -> None:
    assert covered("為替変動影響", "為替変動 影響")
    assert not covered("業界首位", "為替変動 影響")


def test_preparing_twice_gives_the_same(tmp_path: Path) -> None:
    request = Request(BRIEFS / "dev" / "logistics.md", today=TODAY)
    assert prepare(request).storyline == prepare(request).storyline
    assert tmp_path.exists()


LOAN = """client: 北陸ロジスティクス株式会社
needs: [燃料費の高騰により営業利益率が下がっている, 車両35台のうち12台が法定耐用年数を超え、修繕費が増えている]
products: [{name: シンジケートローン, description: 総額8億円}, 軽油スワップ]
numbers:
  営業利益率: {前期: 4.2, 当期: 2.1, 計画: 3.8, 単位: "%"}
  修繕費: {現状: 300万円, 導入後: 420万円}
schedule: [2027年1月 契約, 2027年4月 第1回車両更新（6台）]
cost: {手数料: 1600万円, 金利: TIBOR+0.6%}
"""


def test_the_effect_starts_from_the_newest_figure_and_is_never_a_change_for_the_worse(tmp_path: Path) -> None:
    deck = make(text_brief(tmp_path, LOAN), tmp_path / "work")
    effect = slide(deck, "effect")
    assert effect.chart is not None and effect.chart.series[0].values == [2.1, 3.8]
    assert "上昇" in effect.title and "修繕費" not in effect.title + " ".join(b.text for b in effect.body)


def test_a_margin_keeps_the_rate_it_is_added_to_and_a_step_its_brackets(tmp_path: Path) -> None:
    deck = make(text_brief(tmp_path, LOAN), tmp_path / "work")
    table = slide(deck, "cost").table
    assert table is not None and any("TIBOR+0.6%" in cell for row in table.rows for cell in row)
    schedule = slide(deck, "schedule").schedule
    assert schedule is not None and schedule.phases[-1].name == "第1回車両更新（6台）"


def test_english_names_and_topics_are_cut_between_words(tmp_path: Path) -> None:
    text = (
        "client: Alder Brewing Ltd\nlanguage: en\n"
        "needs: [Exports to the EU grew to 38% of sales and euro receipts swing margins,"
        " Stock financing is tied to a single overdraft that is full every March]\n"
        "products: [Forward contracts with average-rate option, Inventory-backed revolving credit facility]\n"
        "numbers: {Gross margin: {FY24: 41, FY25: 38, target: 42, unit: '%'}}\n"
        "cost: {Commitment fee: 0.8% on undrawn amounts}\n"
    )
    deck = make(text_brief(tmp_path, text), tmp_path / "work")
    assert deck.title == "Proposal: Forward contracts and Inventory-backed revolving credit"
    said = [s.title for s in deck.slides] + [b.text for s in deck.slides for b in s.body]
    assert "Addresses: Exports to the EU" in said and "Addresses: Stock financing" in said
    assert slide(deck, "effect").title.endswith("from 38% to 42%, up 4 percentage points")
    table = slide(deck, "cost").table
    assert table is not None and "on undrawn amounts" in " ".join(cell for row in table.rows for cell in row)


PRICED = """# ご提案メモ：有限会社さくら園芸

目的: 役員会で使う10枚くらいの提案資料

## お困りごと
- 売掛金の消込を手作業でしており、月末に3日かかる
- 資金の8割が普通預金に滞留している

## 提案内容
| 商品 | 内容 | 費用 |
|---|---|---|
| 承継コンサルティング | 持株会社化の検討 | 300万円 |
| 当座貸越 | 極度額5,000万円、年1.475% | 保証料なし |
| 入金消込クラウド | 自動照合 | 初期25万円、月額3.8万円 |
| 金銭信託 | 予定配当率 年0.35% | なし |
"""


def test_prices_told_with_the_products_are_all_in_the_cost_and_in_its_total(tmp_path: Path) -> None:
    path = tmp_path / "brief.md"
    path.write_text(PRICED, "utf-8")
    deck = make(path, tmp_path / "work")
    assert deck.client == "有限会社さくら園芸" and len(deck.slides) == 10
    table = slide(deck, "cost").table
    assert table is not None
    amounts = {row[0]: row[1] for row in table.rows}
    assert amounts["承継コンサルティング"] == "300万円" and amounts["当座貸越"] == "年1.475%"
    assert amounts["初年度合計"] == "370万6,000円" and not any("0.35" in amount for amount in amounts.values())
