"""Lines of a typed brief go where they belong by what they are for, whatever stands above them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.proposals.brief.items import Collected
from apps.proposals.brief.load import BriefReading, parse_brief
from apps.proposals.brief.roles import name_in, place_by_role, units

MAIL = """お疲れさまです。来週の訪問の資料をお願いします。スライドは8枚くらいで、やさしい言葉でお願いします。
訪問先は株式会社みどり運輸さまです。
燃料代が去年より2割上がっていて、資金繰りが苦しいとのことでした。
運転資金の融資をご提案したいです。
なお格付が下がりそうなことは先方には言わないでください。
"""
NOTES = """株式会社みどり運輸

困っていること
・燃料代が去年より2割上がった
・この件は社内限りですが、社長は他行と揉めています

提案したいもの
・運転資金の融資

期待できる効果は、資金繰りの改善です。
"""


def read(text: str) -> BriefReading:
    return parse_brief(text.encode(), "brief.txt")


def shown(reading: BriefReading) -> str:
    """All words of the brief that may come onto slides or into notes."""
    return "\n".join(item.text for item in reading.items if item.field not in ("request", "greeting"))


def test_a_mail_gives_client_need_and_product() -> None:
    brief = read(MAIL).brief
    assert brief.client == "株式会社みどり運輸" and brief.slide_count == 8
    assert any("燃料代" in need for need in brief.needs) and any("融資" in product for product in brief.products)


@pytest.mark.parametrize(("text", "secret"), [(MAIL, "格付"), (NOTES, "揉めて")])
def test_what_the_client_must_not_see_is_kept_out_and_said(text: str, secret: str) -> None:
    reading = read(text)
    assert secret not in shown(reading) and secret not in reading.brief.model_dump_json()
    [finding] = [f for f in reading.findings if f.rule == "brief_withheld"]
    assert secret in finding.message and "line" in finding.message


def test_instructions_are_no_content() -> None:
    assert "やさしい言葉" not in shown(read(MAIL)) and "お疲れさま" not in shown(read(MAIL))


def test_plain_text_behind_a_list_is_not_one_of_its_items() -> None:
    assert not any("期待できる" in product for product in read(NOTES).brief.products)


def test_a_label_speaks_for_its_own_line_only() -> None:
    told = "電子記録債権の導入をご提案します。4月に契約の予定です。社長と経理部長にご説明します。"
    brief = read(f"宛先：ソリューション部\n顧客：青葉商事\n課題：在庫が多い\n\n{told}").brief
    assert brief.client == "青葉商事" and brief.needs == ["在庫が多い"]
    assert any("電子記録債権" in product for product in brief.products)


def test_a_section_for_our_own_eyes_is_withheld_whole() -> None:
    reading = read("顧客：青葉商事\n課題：在庫が多い\n\n【社内メモ】\n・粗利は2％確保\n・部長は慎重")
    assert not any(word in shown(reading) for word in ("粗利", "慎重"))
    assert sum(f.rule == "brief_withheld" for f in reading.findings) == 2


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("行田の足袋屋さん、社員22名", "行田の足袋屋"),
        ("相手は旅館の「湯けむり亭」さん、別府、客室46", "湯けむり亭"),
        ("Meridian Care Homes, 14 homes in the Midlands", "Meridian Care Homes"),
        ("client = Tidewater Credit Union, Maryland", "Tidewater Credit Union"),
        ("They make corrugated trays for growers", ""),
    ],
)
def test_the_name_in_a_line_about_the_client(line: str, name: str) -> None:
    assert name_in(line) == name


@given(st.lists(st.text("あ課題：・。#- \nAa1|", max_size=30), max_size=8).map("\n".join))
def test_the_pieces_of_any_text_hold_all_of_its_words(text: str) -> None:
    assert "".join("".join(unit.text for _, unit in units(text)).split()) == "".join(text.split())
    place_by_role(Collected(), text)


ERRAND = """件名：来週の北斗金属様訪問について

お疲れ様です。法人営業一部の沢田です。
12月9日（水）に北斗金属の宮本社長にお会いします。
先方の状況ですが、ばね部品の加工で従業員は60名です。
新しいプレス機を2台入れたいそうで、見積りは合わせて9,000万円です。
支払いが先に来るので、資金繰りを心配しておられます。
それと、社長のご子息が継ぐか決まっていないとのこと。ここはデリケートなので社長からお話が出るまで触れないでください。
うちからは設備資金の融資（期間7年、固定金利 年1.85%）と、手付分のつなぎ（3か月、年1.2%）を提案したいです。
ものづくり補助金の申請支援もできます。補助率は2/3、上限1,250万円です。
よろしくお願いします。
"""


def test_a_mail_to_a_colleague_is_read_for_what_the_client_may_see() -> None:
    reading = read(ERRAND)
    brief = reading.brief
    assert brief.client == "北斗金属" and brief.title == ""
    assert brief.needs[0].startswith("新しいプレス機を2台入れたい、") and "資金繰りを心配している" in brief.needs[1]
    assert [name.partition("（")[0].partition("：")[0] for name in brief.products] == [
        "設備資金の融資",
        "手付分のつなぎ",
        "ものづくり補助金の申請支援",
    ]
    assert brief.schedule == [] and brief.cost == []  # the visit is no step of a plan, a subsidy no cost


def test_silence_on_what_was_just_said_withholds_it() -> None:
    reading = read(ERRAND)
    withheld = [f.message for f in reading.findings if f.rule == "brief_withheld"]
    assert "継ぐ" not in shown(reading) and "継ぐ" not in reading.brief.model_dump_json()
    assert any("継ぐか決まっていない" in message for message in withheld)
    told = read(ERRAND.replace("触れないでください", "ゆっくり伺ってください"))
    assert not any("継ぐか決まっていない" in f.message for f in told.findings if f.rule == "brief_withheld")


def test_a_bullet_heads_the_deeper_bullets_below_it() -> None:
    reading = read(
        "# 提案メモ\n- 相手：医療法人青葉会\n- 悩み：賞与月に資金が薄い\n- 提案したいもの\n  1. 診療報酬債権のファクタリング（掛目80%）\n"
        "  2. 設備更新資金 3,600万円 期間5年\n- 体制：担当 森、審査 上原\n- スケジュール：12月 申込、1月 審査\n"
    )
    assert reading.brief.products == ["診療報酬債権のファクタリング（掛目80%）", "設備更新資金 3,600万円 期間5年"]
    assert reading.brief.needs == ["賞与月に資金が薄い"]
    assert "体制" in reading.brief.free_text  # beside the list of products, no part of it


GOSSIP = """【商談メモ】11/20 若草園芸（花き卸、従業員35名）
・冷蔵倉庫の電気代が年間1,800万円、2年前の1.4倍
・太陽光パネルを屋根に載せたい。業者見積4,200万円

当方の提案方針
 1) 太陽光設備資金：4,200万円、10年
 2) 季節資金の枠を3,000万円に増やす

注意：{remark}
資料は10枚以内。
"""


@pytest.mark.parametrize(
    "remark",
    [
        "木下専務は社長と関係がよくないらしい。資料には出さないこと。",
        "木下専務は社長と関係がよくないらしい（社外秘）。",
        "木下専務は社長と関係がよくないらしい。絶対に触れないでください。",
    ],
)
def test_an_order_without_an_object_is_about_what_stands_before_it(remark: str) -> None:
    reading = read(GOSSIP.format(remark=remark))
    assert "関係がよくない" not in reading.brief.model_dump_json() and "関係がよくない" not in shown(reading)
    assert any("関係がよくない" in f.message for f in reading.findings if f.rule == "brief_withheld")
    assert reading.brief.client == "若草園芸" and reading.brief.slide_count == 10
    assert len(reading.brief.needs) == 2 and len(reading.brief.products) == 2


def test_titles_of_people_end_no_english_sentence() -> None:
    reading = read(
        "# Notes for Thursday – Kestrel Dental Group\n\nThey plan to open 3 more clinics by end of 2027.\n"
        "Cash sits in 14 accounts, and Ms. Ono downloads statements every Monday, which takes half a day.\n\n"
        "What we'd pitch:\n1. Equipment loan - JPY 255 million, 8 years\n2. Cash management, JPY 45,000/month\n\n"
        "Watch out: Dr. Imai had a dispute with our Fujisawa branch in 2023. Leave that out.\n"
        "Timeline – credit approval Jan 2027, first drawdown Mar 2027\n"
    )
    brief = reading.brief
    assert brief.client == "Kestrel Dental Group" and brief.title == ""
    assert any("Ms. Ono downloads statements" in need for need in brief.needs) and not brief.effects
    assert "dispute" not in brief.model_dump_json() and "dispute" not in shown(reading)
    assert brief.schedule == ["credit approval Jan 2027", "first drawdown Mar 2027"]


def test_who_is_met_is_the_audience_where_the_client_has_a_key_of_its_own() -> None:
    text = "顧客: 学校法人 緑風学園\n相手: 理事長、事務局長\n困りごと: [寄付の申込みが紙だけ]\n提案: [教育施設ローン 3億円]\n"
    reading = parse_brief(text.encode(), "brief.yaml")
    assert reading.brief.audience == "理事長、事務局長"
    assert not [f for f in reading.findings if f.rule == "brief_unknown_field"]
