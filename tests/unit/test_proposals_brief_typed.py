"""Briefs as ten different people typed them: nothing is lost, everything stands in its field."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from apps.proposals.brief import BriefReading, parse_brief, read_brief
from apps.proposals.brief.fields import concept_of
from apps.proposals.model import Brief, Deck, Slide
from apps.proposals.pipeline import Models, Request, build
from tests.helpers.proposal_files import BRIEFS

TYPED = BRIEFS / "typed"
TODAY = date(2026, 11, 23)


def brief(name: str) -> Brief:
    return read_brief(TYPED / name).brief


def deck_of(name: str, work: Path) -> Deck:
    return build(Request(TYPED / name, today=TODAY), Models(), work=work).deck


def slide(deck: Deck, name: str) -> Slide:
    return next(s for s in deck.slides if s.id == name)


def words_of(deck: Deck) -> str:
    """Everything in a deck that a person reads, speaker notes included."""
    parts: list[str] = [deck.author]
    for s in deck.slides:
        parts += [s.title, s.subtitle, s.notes, *s.notices, *(b.text for b in s.body), *(f.value for f in s.figures)]
        parts += [cell for row in (s.table.rows if s.table else []) for cell in row]
        parts += [p.name for p in (s.schedule.phases if s.schedule else [])]
    return re.sub(r"\s", "", "\n".join(parts))


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("ご提案したいもの", "products"),
        ("先方の困りごと", "needs"),
        ("予算感", "cost"),
        ("いつまでに", "schedule"),
        ("期待していること", "effects"),
        ("気にしている点", "risks"),
        ("提案の狙い", "needs"),
        ("提案先の出席者", "audience"),
        ("希望の時期", "schedule"),
        ("競合の提案", "comparison"),
        ("費用対効果", "effects"),
        ("what_to_sell", "products"),
        ("who decides", "audience"),
        ("cost of the solution", "cost"),
        ("撤退時の扱い", None),
        ("人件費", None),
    ],
)
def test_a_heading_means_what_it_speaks_of_last(heading: str, field: str | None) -> None:
    assert concept_of(heading) == field


def test_headings_in_ones_own_words() -> None:
    found = brief("headings.md")
    assert found.products[0].startswith("設備資金融資 1億2,000万円") and len(found.products) == 3
    assert found.schedule == ["2〜3月 導入", "来期（4月）から本格稼働", "年内に方向感を決めたい"]
    assert found.cost[0] == "予算：総額で1億2,000万〜1億5,000万円くらいまで"
    assert found.audience == "社長と経理部長"
    assert "当行とは経常運転資金3,000万円の取引" in found.free_text and "12/18" in found.free_text


def test_a_mail() -> None:
    found = brief("mail.txt")
    assert (found.client, found.author, found.slide_count) == ("丸福水産加工株式会社", "法人第二の水谷", 10)
    assert found.products == ["為替予約", "設備資金の融資"]
    assert found.needs[0] == "円安で粗利が去年の18%から13%まで落ちた"
    assert found.schedule == ["設備：2〜3月に契約", "来期の上期中に入れ替え完了"]
    assert "3割" in found.free_text
    assert "A信用金庫" not in found.model_dump_json(), "a rumour about a rival is for our own eyes"


def test_a_table_of_fields_and_a_table_of_needs() -> None:
    found = brief("table.md")
    assert (found.client, found.industry) == ("北斗フードサービス株式会社", "給食受託（学校・病院）")
    assert found.needs[0] == "経費精算の処理時間：現状 月160時間 → 目標 月60時間"
    assert (found.products[2], found.schedule, found.cost) == (
        "ビジネスカード",
        ["2027年4月から"],
        ["予算：月額5万円以内"],
    )


def test_full_width_labels_keep_to_their_own_lines() -> None:
    found = brief("fullwidth.txt")
    assert (len(found.needs), len(found.products), len(found.schedule)) == (4, 3, 4)
    assert (found.author, found.audience) == ("本店営業部　佐伯", "理事長、事務長")


def test_yaml_with_keys_nobody_foresaw() -> None:
    found = brief("keys.yaml")
    assert (found.client, found.industry, found.slide_count) == ("東西ロジテック株式会社", "3PL・倉庫業", 14)
    assert found.effects == ["人件費：9.2億円 → 8.0億円", "在庫差異率：0.8% → 0.2%"]
    assert found.cost == ["初期費用：1,200万円", "ランニング費用：月額18万円"]
    assert found.schedule[1] == "試行：2027年4〜6月"


def test_amounts_with_commas_inside_yaml_braces() -> None:
    assert brief("seed.yaml").cost[2] == "DD費用：1,200万円〜1,800万円"
    plain = "client: A社\nneeds: [x]\ncost: {a: 1,200万円, b: '3,000円'}\nnumbers: {売上: [100,200]}"
    found = parse_brief(plain.encode(), "b.yaml").brief
    assert found.cost == ["a：1,200万円", "b：3,000円"]
    assert [n.value for n in found.numbers] == [100, 200]


@pytest.mark.parametrize(
    ("name", "client", "need", "product"),
    [
        ("three_lines.txt", "株式会社みなと印刷", "インク代と紙代が上がって資金繰りがきつい", "当座貸越 5,000万円"),
        (
            "three_lines_en.txt",
            "Lakeside Dental Clinic",
            "Patients pay late, 60 days on average",
            "cash collection service",
        ),
        ("three_lines_visit.txt", "さくら不動産", "賃貸管理物件が1,200戸まで増えた", "家賃の入金管理サービス"),
    ],
)
def test_three_lines_are_enough(name: str, client: str, need: str, product: str) -> None:
    found = brief(name)
    assert (found.client, found.needs[0], found.products[0]) == (client, need, product)


def test_what_is_taken_for_a_need_without_saying_so_is_told() -> None:
    assert "brief_needs_assumed" in {f.rule for f in read_brief(TYPED / "three_lines_visit.txt").findings}


def test_unknown_sections_have_a_place_and_the_finding_names_it(tmp_path: Path) -> None:
    reading = read_brief(TYPED / "contradict.md")
    told = {f.message for f in reading.findings if f.rule == "brief_unknown_field"}
    assert any("「撤退時の扱い」" in m and "「補足」のスライド" in m for m in told)
    assert not any("社内の協力者" in m for m in told)
    deck = deck_of("contradict.md", tmp_path)
    assert "ABLは1年ごとの見直し" in slide(deck, "more").body[1].text
    shown = "".join(b.text for s in deck.slides for b in s.body)
    assert "野口課長" not in shown + "".join(s.notes for s in deck.slides)
    assert any(f.rule == "brief_withheld" and "野口課長" in f.message for f in reading.findings)


def test_with_no_room_further_points_go_to_the_speaker_notes(tmp_path: Path) -> None:
    path = TYPED / "contradict.md"
    deck = build(Request(path, slides=11, today=TODAY), Models(), work=tmp_path).deck
    assert len(deck.slides) == 11 and "ABLは1年ごとの見直し" in slide(deck, "issues").notes


_GIVEN = re.compile(r"[一-鿿ァ-ヺーA-Za-z]{3,}|\d[\d,.]*(?=[億万円%人件月年日])")


@pytest.mark.parametrize("path", sorted(TYPED.iterdir()), ids=lambda p: p.stem)
def test_no_content_of_a_brief_is_missing_from_its_deck(path: Path, tmp_path: Path) -> None:
    """Every longer word and every amount that was read into a field is somewhere in the deck or its notes."""
    reading = read_brief(path)
    shown = words_of(build(Request(path, today=TODAY), Models(), work=tmp_path).deck)
    missing = [
        (item.field, word)
        for item in reading.items
        if item.field
        not in ("request", "greeting", "slide_count", "tone", "language", "industry", "date", "title", "facts")
        for word in _GIVEN.findall(item.text)
        if word not in shown
    ]
    assert missing == []


def test_ranges_and_rates_stand_in_the_cost_table(tmp_path: Path) -> None:
    table = slide(deck_of("individual.txt", tmp_path), "cost").table
    assert table and table.rows == [
        ["遺言信託の基本手数料", "33万円", "税込"],
        ["投信の購入時手数料", "0〜3.3%", ""],
        ["信託報酬", "年率0.1〜1.2%", ""],
    ]


def test_amounts_in_dispute_are_neither_chosen_nor_added(tmp_path: Path) -> None:
    cost = slide(deck_of("contradict.md", tmp_path), "cost")
    assert cost.table and ["EC決済 導入費", "50万円／60万円", "要確認"] in cost.table.rows
    assert "合計" not in cost.title


def test_a_past_fall_is_the_issue_and_not_the_effect(tmp_path: Path) -> None:
    effect = slide(deck_of("mail.txt", tmp_path), "effect")
    assert effect.title == "粗利は去年の18%から直近の13%へ減少しており、この変化への備えが論点です"
    assert effect.chart and effect.chart.categories == ["去年", "直近"]


def test_months_in_a_range_are_both_on_the_axis(tmp_path: Path) -> None:
    schedule = slide(deck_of("headings.md", tmp_path), "schedule")
    assert schedule.schedule and [(p.name, p.start, p.end) for p in schedule.schedule.phases] == [
        ("導入", 0, 1),
        ("本格稼働", 2, 2),
    ]
    assert schedule.title == "2027年2月の「導入」から2027年4月の「本格稼働」まで、2段階で進めます"


def test_messages_speak_of_this_client(tmp_path: Path) -> None:
    deck = deck_of("three_lines.txt", tmp_path)
    assert deck.title == "当座貸越のご提案"
    for name in ("agenda", "summary", "issues", "proposal", "comparison"):
        assert re.search("インク代|当座貸越", slide(deck, name).title)


def test_without_a_product_the_deck_says_so(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(
        yaml.safe_dump({"client": "A社", "needs": ["人手不足で夜勤が回らない"]}, allow_unicode=True), "utf-8"
    )
    draft = build(Request(path, today=TODAY), Models(), work=tmp_path / "w")
    assert draft.deck.title == "「人手不足」への対応策のご提案"
    assert "products_missing" in {f.rule for f in draft.report.findings}


def _text(content: str) -> BriefReading:
    return parse_brief(content.encode(), "b.md")


def test_lines_under_client_and_second_values_are_kept() -> None:
    found = _text("# お客様\n- 株式会社青葉（製造業、120名）\n- 創業1950年\n# 課題\n- 人手不足").brief
    assert found.client == "株式会社青葉"
    assert "創業1950年" in found.free_text and "製造業、120名" in found.free_text


def test_a_label_without_a_field_does_not_land_in_the_field_above() -> None:
    found = _text("顧客：青葉商事\n業種：卸売\n売上高：38億円\n駐車場：12台分\n課題：在庫が多い").brief
    assert found.industry == "卸売"
    assert [(n.label, n.raw) for n in found.numbers] == [("売上高", "38億円"), ("駐車場", "12台")]
