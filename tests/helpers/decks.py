"""``sample_deck``: one deck with every slide kind, in Japanese and English, as the content engine would write it."""

from __future__ import annotations

from typing import Literal

from apps.proposals.model import Chart, Deck, Phase, Schedule, Series, Slide, Table, TextBlock

Language = Literal["ja", "en"]


def blocks(*texts: str) -> list[TextBlock]:
    """Body blocks; each leading ``- `` lowers the level by one."""
    found = []
    for text in texts:
        level = 0
        while text.startswith("- "):
            text, level = text[2:], level + 1
        found.append(TextBlock(text=text, level=level))
    return found


def sample_deck(language: Language = "ja") -> Deck:
    """A proposal with one slide of each kind; ids are the kinds."""
    return japanese() if language == "ja" else english()


META = {
    "model": "qwen2.5-1.5b",
    "prompts": ["proposals.storyline@1", "proposals.slide@1"],
    "policy": "default@1",
    "request_ids": ["req-0001", "req-0002"],
    "evidence_sha256": ["0" * 64],
}


def japanese() -> Deck:
    slides = [
        Slide(
            id="title",
            kind="title",
            title="設備更新と為替リスク管理のご提案",
            subtitle="資金調達と外貨決済を一体で見直す",
            notes="本日はお時間をいただきありがとうございます。",
        ),
        Slide(
            id="agenda",
            kind="agenda",
            title="本日お伝えしたいこと",
            body=blocks("貴社を取り巻く課題", "ご提案の全体像", "期待される効果", "費用と進め方", "リスクとご注意事項"),
            notes="全体で30分の予定です。",
        ),
        Slide(
            id="summary",
            kind="summary",
            title="設備資金の長期固定化と為替予約の組み合わせで、年間の資金コストを1,240万円下げられます",
            body=blocks(
                "金利負担の軽減：既存借入8億円を10年固定へ借り換え、年間の支払利息を760万円減らします",
                "為替コストの平準化：輸入決済の60%を予約に切り替え、仕入原価のぶれを抑えます",
                "事務の省力化：外貨送金の電子化により、月40時間の事務を18時間に短縮します",
            ),
            notes="結論からお話しします。三つの柱があります。",
            sources=["貴社 2026年3月期 決算説明資料", "当行試算（2026年9月末時点）"],
        ),
        Slide(
            id="issues",
            kind="issues",
            title="金利上昇と円安が重なり、営業利益率は3年で2.1ポイント下がっています",
            body=blocks(
                "変動金利への依存",
                "- 借入の85%が変動金利で、金利が1%上がると年1,020万円の負担増になります",
                "為替変動の影響",
                "- 原材料の45%を輸入しており、仕入の時期によって原価が大きく動きます",
                "設備の老朽化",
                "- 主力ラインの稼働年数は18年に達し、保守費が年々増えています",
            ),
            notes="現場でのヒアリングの内容と、決算数値の両方から整理しました。",
            sources=["貴社 ヒアリング（2026年8月20日）"],
        ),
        Slide(
            id="proposal",
            kind="proposal",
            title="調達、為替、決済の三つを一つの計画として見直すことをご提案します",
            subtitle="別々に決めていた三つの判断を、資金計画を軸に一本化します。",
            body=blocks(
                "長期固定の設備資金：新ラインの耐用年数に合わせた10年の証書貸付をご用意します",
                "段階的な為替予約：半年先までの決済予定額の60%を、3回に分けて予約します",
                "外貨決済の電子化：ウェブ送金と会計データの連携で、手入力をなくします",
            ),
            notes="個別の商品ではなく、計画としてのご提案です。",
        ),
        Slide(
            id="effect",
            kind="effect",
            title="3年目には資金コストが現状より年1,240万円少なくなる見込みです",
            body=blocks(
                "1年目から支払利息の削減が表れます",
                "2年目以降は為替予約の効果が加わります",
                "前提：為替相場は1ドル150円、金利は2026年9月末の水準",
            ),
            chart=Chart(
                type="column",
                title="年間資金コストの推移",
                categories=["現状", "1年目", "2年目", "3年目"],
                series=[
                    Series(name="支払利息", values=[42, 36, 34, 33]),
                    Series(name="為替コスト", values=[18, 17, 15, 14.6]),
                ],
                unit="百万円",
                source="当行試算",
                as_of="2026年9月末",
            ),
            notes="試算の前提は右側に記載しています。",
            sources=["貴社 2026年3月期 決算説明資料"],
        ),
        Slide(
            id="waterfall",
            kind="effect",
            title="削減額の内訳は、金利が760万円、為替が340万円、事務が140万円です",
            chart=Chart(
                type="waterfall",
                title="年間資金コストの増減",
                categories=["現状", "金利", "為替", "事務", "3年目"],
                series=[Series(name="資金コスト", values=[60, -7.6, -3.4, -1.4, 47.6])],
                unit="百万円",
                source="当行試算",
                as_of="2026年9月末",
            ),
        ),
        Slide(
            id="comparison",
            kind="comparison",
            title="総コストと手間の両面で、一体での見直しが最も有利です",
            table=Table(
                columns=["比較の観点", "現状を維持", "借り換えのみ", "ご提案（一体での見直し）"],
                rows=[
                    ["年間の資金コスト", "6,000万円", "5,240万円", "4,760万円"],
                    ["金利上昇への備え", "×", "◎", "◎"],
                    ["為替変動への備え", "×", "×", "○"],
                    ["月間の事務時間", "40時間", "40時間", "18時間"],
                    ["導入までの期間", "－", "2か月", "4か月"],
                ],
                source="当行試算",
            ),
            body=blocks("導入期間は長くなりますが、2年目で差を回収できる見込みです"),
            notes="三つの案を公平に比べています。",
        ),
        Slide(
            id="schedule",
            kind="schedule",
            title="4か月で切り替えを終え、来期の期首から効果を出します",
            schedule=Schedule(
                columns=["10月", "11月", "12月", "1月", "2月", "3月"],
                phases=[
                    Phase(name="現状の把握", start=0, end=1, detail="借入と外貨の棚卸し"),
                    Phase(name="条件のご相談", start=1, end=2, detail="固定期間と予約比率"),
                    Phase(name="契約と切り替え", start=2, end=3, detail="証書貸付の実行"),
                    Phase(name="外貨決済の電子化", start=2, end=4, detail="会計データとの連携"),
                    Phase(name="効果の確認", start=4, end=5),
                ],
            ),
            body=blocks("12月の取締役会でのご決議を想定した日程です"),
        ),
        Slide(
            id="cost",
            kind="cost",
            title="初期費用は350万円、以後は年80万円です",
            table=Table(
                columns=["項目", "内容", "初期費用", "年間費用"],
                rows=[
                    ["融資事務手数料", "証書貸付 8億円", "220", "－"],
                    ["担保設定費用", "登記費用など（概算）", "130", "－"],
                    ["ウェブ送金", "基本料と送金手数料", "0", "80"],
                    ["合計", "", "350", "80"],
                ],
                unit="万円",
                source="当行手数料一覧（2026年9月1日現在）",
            ),
            body=blocks("金利とは別にかかる費用です", "登記費用は金額が変わることがあります"),
        ),
        Slide(
            id="risks",
            kind="risks",
            title="想定されるリスクには、あらかじめ対応を用意しています",
            body=blocks(
                "金利が下がると固定化が割高になる",
                "- 借入の30%は変動のまま残し、全体として均します",
                "円高が進むと予約が不利になる",
                "- 予約比率は60%を上限とし、四半期ごとに見直します",
                "期限前の返済には清算金がかかる",
                "- 余裕資金の見通しを先に確かめ、返済の余地を残します",
            ),
        ),
        Slide(
            id="team",
            kind="team",
            title="貴社専任の体制で、導入から運用まで支援します",
            body=blocks(
                "営業統括 佐藤",
                "- 融資担当 鈴木",
                "- - 審査部",
                "- 外為担当 高橋",
                "- 決済担当 田中",
            ),
        ),
        Slide(
            id="case",
            kind="case",
            title="同規模の製造業では、1年で資金コストを12%下げました",
            subtitle="精密部品メーカー（売上高 45億円、従業員 180名）",
            body=blocks(
                "課題：短期借入の借り換えが続き、金利上昇で利益が圧迫されていた",
                "取り組み：設備資金を10年固定に組み替え、為替予約を併用した",
                "成果：資金コストが12%下がり、経理の残業が月25時間減った",
            ),
            sources=["当行 取引先事例集（2025年度版）"],
        ),
        Slide(
            id="process",
            kind="process",
            title="ご契約までの五つの手順と、貴社にお願いしたいこと",
            body=blocks(
                "ご面談",
                "- 資金計画と外貨決済の予定をうかがいます",
                "資料のご提出",
                "- 決算書3期分、借入明細、輸入契約",
                "審査",
                "- 通常2〜3週間をいただきます",
                "ご契約",
                "- 条件の最終確認と書面の交付",
                "実行",
                "- 資金の実行と外貨口座の設定",
            ),
        ),
        Slide(
            id="text",
            kind="text",
            title="次回までに確かめたい三つの点があります",
            body=blocks(
                "設備投資の時期と金額を確定する予定",
                "- 取締役会の日程と、それまでに必要な資料",
                "外貨決済の今後1年の見通し",
                "- 通貨別、月別の予定額",
                "既存借入の期限前返済の条件",
            ),
        ),
        Slide(
            id="notes",
            kind="notes",
            title="ご検討にあたってのご注意事項",
            body=blocks(
                "本資料は情報提供を目的としたもので、契約締結前交付書面に代わるものではありません。",
                "ご融資には当行所定の審査があります。審査の結果、ご希望に沿えないことがあります。",
                "為替予約は、締結後の相場変動により、市場の実勢より不利な条件での決済となることがあります。"
                "また、中途での解約は原則としてできず、解約に応じる場合には清算金が生じ、損失が出るおそれがあります。",
                "金利や手数料は2026年9月末時点のものであり、今後変更されることがあります。",
                "本資料の試算は一定の前提に基づくもので、将来の結果をお約束するものではありません。",
                "税務、会計、法務の取り扱いは、それぞれの専門家にご確認ください。",
            ),
        ),
        Slide(
            id="appendix",
            kind="appendix",
            title="参考：借入の明細（2026年9月末）",
            table=Table(
                columns=["借入先", "種別", "残高", "金利", "期限"],
                rows=[
                    ["当行", "証書貸付", "420", "1.85%（変動）", "2029年3月"],
                    ["A銀行", "証書貸付", "230", "1.92%（変動）", "2028年9月"],
                    ["B信用金庫", "当座貸越", "150", "2.10%（変動）", "2027年6月"],
                ],
                unit="百万円",
                source="貴社 借入明細",
            ),
        ),
    ]
    return Deck(
        title="設備更新と為替リスク管理のご提案",
        client="山川精機株式会社",
        language="ja",
        date="2026年10月5日",
        author="かけはし銀行 法人営業部",
        slides=slides,
        meta=dict(META),
    )


def english() -> Deck:
    slides = [
        Slide(
            id="title",
            kind="title",
            title="Financing new equipment and managing currency risk",
            subtitle="One plan for borrowing, hedging and payments",
            notes="Thank you for your time today.",
        ),
        Slide(
            id="agenda",
            kind="agenda",
            title="What we would like to cover today",
            body=blocks(
                "Where you stand", "Our proposal", "What it is worth", "Cost and timetable", "Risks and notices"
            ),
        ),
        Slide(
            id="summary",
            kind="summary",
            title="Fixing long-term rates and hedging imports together saves JPY 12.4 million a year",
            body=blocks(
                "Lower interest: refinancing JPY 800 million at a ten-year fixed rate saves JPY 7.6 million a year",
                "Steadier purchasing cost: forward contracts cover 60% of import payments",
                "Less paperwork: electronic transfers cut 40 hours of clerical work a month to 18",
            ),
            notes="The conclusion first: three pillars.",
            sources=["Client results, fiscal year to March 2026", "Bank estimate as of September 2026"],
        ),
        Slide(
            id="issues",
            kind="issues",
            title="Rising rates and a weak yen have cost 2.1 points of operating margin in three years",
            body=blocks(
                "Dependence on floating rates",
                "- 85% of debt is floating; one point more costs JPY 10.2 million a year",
                "Exposure to the dollar",
                "- 45% of materials are imported, so cost moves with the time of purchase",
                "Ageing equipment",
                "- The main line is 18 years old and maintenance keeps rising",
            ),
        ),
        Slide(
            id="proposal",
            kind="proposal",
            title="We propose to treat funding, hedging and payments as one plan",
            subtitle="Three decisions taken apart today become one, led by the cash plan.",
            body=blocks(
                "Ten-year equipment loan: a term matched to the useful life of the new line",
                "Staged forwards: 60% of the next six months' payments, in three steps",
                "Electronic payments: transfers linked to the ledger, with no retyping",
            ),
        ),
        Slide(
            id="effect",
            kind="effect",
            title="By the third year funding costs JPY 12.4 million less than today",
            body=blocks(
                "Interest falls from the first year",
                "Hedging adds to it from the second",
                "Assumes JPY 150 to the dollar and rates of September 2026",
            ),
            chart=Chart(
                type="combo",
                title="Annual funding cost",
                categories=["Today", "Year 1", "Year 2", "Year 3"],
                series=[
                    Series(name="Cost", values=[60, 53, 49, 47.6]),
                    Series(name="Share of sales, %", values=[1.9, 1.7, 1.5, 1.4]),
                ],
                unit="JPY million",
                source="Bank estimate",
                as_of="September 2026",
            ),
        ),
        Slide(
            id="comparison",
            kind="comparison",
            title="A joint review wins on both cost and effort",
            table=Table(
                columns=["Aspect", "Stay as is", "Refinance only", "Our proposal"],
                rows=[
                    ["Annual funding cost", "JPY 60.0 m", "JPY 52.4 m", "JPY 47.6 m"],
                    ["Protected against higher rates", "No", "Yes", "Yes"],
                    ["Protected against a weak yen", "No", "No", "Partly"],
                    ["Clerical hours a month", "40", "40", "18"],
                ],
                source="Bank estimate",
            ),
            body=blocks("It takes longer to set up, and pays back in the second year"),
        ),
        Slide(
            id="schedule",
            kind="schedule",
            title="Four months to switch, with results from the new fiscal year",
            schedule=Schedule(
                columns=["Oct", "Nov", "Dec", "Jan", "Feb", "Mar"],
                phases=[
                    Phase(name="Review", start=0, end=1, detail="Debt and currency"),
                    Phase(name="Terms", start=1, end=2, detail="Tenor and hedge ratio"),
                    Phase(name="Contract", start=2, end=3, detail="Drawdown"),
                    Phase(name="Electronic payments", start=2, end=4),
                    Phase(name="Review of results", start=4, end=5),
                ],
            ),
        ),
        Slide(
            id="cost",
            kind="cost",
            title="Set-up costs JPY 3.5 million, then JPY 0.8 million a year",
            table=Table(
                columns=["Item", "What it covers", "Set-up", "A year"],
                rows=[
                    ["Arrangement fee", "Loan of JPY 800 million", "2.2", "–"],
                    ["Security", "Registration (estimate)", "1.3", "–"],
                    ["Web transfers", "Base fee and transfers", "0.0", "0.8"],
                    ["Total", "", "3.5", "0.8"],
                ],
                unit="JPY million",
                source="Bank price list, 1 September 2026",
            ),
        ),
        Slide(
            id="risks",
            kind="risks",
            title="Each foreseeable risk has an answer in place",
            body=blocks(
                "Rates fall and the fixed loan looks dear",
                "- 30% of the debt stays floating",
                "The yen strengthens and forwards look dear",
                "- The hedge ratio is capped at 60% and reviewed quarterly",
                "Early repayment costs a break fee",
                "- We test the cash outlook first and keep room to repay",
            ),
        ),
        Slide(
            id="team",
            kind="team",
            title="One team stays with you from set-up to daily use",
            body=blocks("Relationship lead", "- Lending", "- Foreign exchange", "- Payments"),
        ),
        Slide(
            id="case",
            kind="case",
            title="A manufacturer of similar size cut funding cost by 12% in a year",
            subtitle="Precision parts, sales of JPY 4.5 billion, 180 staff",
            body=blocks(
                "Problem: short-term loans rolled over while rates rose",
                "Action: a ten-year fixed loan with staged forwards",
                "Result: 12% lower cost and 25 fewer hours of overtime a month",
            ),
        ),
        Slide(
            id="process",
            kind="process",
            title="Five steps to contract, and what we need from you",
            body=blocks(
                "Meeting",
                "- Cash plan and currency needs",
                "Documents",
                "- Three years of accounts, loan schedule",
                "Credit review",
                "- Usually two to three weeks",
                "Contract",
                "- Final terms and documents",
                "Drawdown",
                "- Funds and currency account",
            ),
        ),
        Slide(
            id="text",
            kind="text",
            title="Three points to settle before we meet again",
            body=blocks(
                "Timing and size of the investment",
                "- Board dates",
                "Currency needs for the next year",
                "Terms of early repayment",
            ),
        ),
        Slide(
            id="notes",
            kind="notes",
            title="Important notices",
            body=blocks(
                "This document is for information and does not replace the documents delivered before a contract.",
                "All lending is subject to credit approval.",
                "A forward contract may turn out worse than the market rate at settlement. It cannot in principle be"
                " cancelled early; where it is, a settlement amount may be due and a loss may result.",
                "Estimates rest on stated assumptions and are not a promise of future results.",
            ),
        ),
        Slide(
            id="appendix",
            kind="appendix",
            title="For reference: loans outstanding in September 2026",
            table=Table(
                columns=["Lender", "Type", "Balance", "Rate", "Due"],
                rows=[
                    ["Our bank", "Term loan", "420", "1.85% floating", "March 2029"],
                    ["Bank A", "Term loan", "230", "1.92% floating", "September 2028"],
                ],
                unit="JPY million",
                source="Client loan schedule",
            ),
        ),
    ]
    return Deck(
        title="Financing new equipment and managing currency risk",
        client="Yamakawa Precision Co., Ltd.",
        language="en",
        date="5 October 2026",
        author="Kakehashi Bank, Corporate Banking",
        slides=slides,
        meta=dict(META),
    )
