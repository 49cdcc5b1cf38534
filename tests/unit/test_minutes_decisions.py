"""What becomes a decision and what must not."""

import pytest

from tests.helpers.talks import drafted


def decisions(lines: str, language: str = "ja") -> list[str]:
    return [f.text for f in drafted(lines, language=language).decisions]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("田中: では、A案で進めることに決定します。", "A案で進める"),
        ("田中: 今回のイベントは見送ります。", "今回のイベントは見送る"),
        ("田中: 会場は大阪にしましょう。／鈴木: 賛成です。", "会場は大阪にする"),
        ("田中: 受付は電話だけとします。", "受付は電話だけとする"),
        ("田中: 手数料は据え置きとすることで合意しました。", "手数料は据え置きとする"),
        ("田中: 来年度の予算案は承認されました。", "来年度の予算案は承認された"),
        ("田中: じゃあ新しいロゴはB案でいきましょう。／鈴木: はい。", "新しいロゴはB案でいく"),
        ("田中: 紙の申込書は廃止します。", "紙の申込書は廃止する"),
        ("田中: 研修はオンラインで実施するということでよろしいでしょうか。／鈴木: 異議ありません。", "研修はオンラインで実施する"),
        ("田中: 保管期間は七年で統一するってことでいいですよね。／鈴木: はい、大丈夫です。", "保管期間は七年で統一する"),
        ("鈴木: 契約を二年にするのはどうでしょうか。／田中: いいですね。それでいきましょう。／鈴木: はい。", "契約を二年にする"),
        ("田中: うん、通知は週二回までにしよう。／鈴木: 了解。", "通知は週二回までにする"),
        ("田中: 第三号議案は、賛成多数により可決されました。", "第三号議案は、賛成多数により可決された"),
        ("田中: 本件申請は否決といたします。", "本件申請は否決とする"),
        ("田中: 夜間の作業はやめましょう。／鈴木: そうですね。", "夜間の作業はやめる"),
    ],
)  # fmt: skip
def test_what_is_settled_is_a_decision_in_plain_words(lines: str, text: str) -> None:
    assert decisions(lines) == [text]


@pytest.mark.parametrize(
    "lines",
    [
        "鈴木: 会場を大阪にしたらどうでしょうか。／田中: うーん、ちょっと遠いですね。",
        "鈴木: 価格を下げるべきだと思います。",
        "鈴木: 値下げするという案もあります。",
        "田中: 前回の会議でA案に決定しました。",
        "田中: 先月、本社の移転が決まりました。",
        "田中: 会場はまだ決まっていません。",
        "田中: 今日は決めないことにします。",
        "鈴木: もし間に合わなければ延期することになると思います。",
        "田中: 個人情報は暗号化することとされています。",
        "田中: それでは定例会議を始めます。",
        "田中: 本日はここまでとします。お疲れ様でした。",
        "田中: 次の議題に移りましょう。",
        "鈴木: どちらの案にしますか。／田中: そうですね、難しいですね。",
        "鈴木: 承認していただけますでしょうか。／田中: いえ、もう少し資料が必要です。",
        "田中: 来週から新しい部長が来ることになりました。",
        "田中: 皆さんの意見を聞いてみましょう。",
        "鈴木: 新製品を来月発売したいと考えています。",
        "田中: 次回は十二月一日に開催します。",
        "田中: 採用人数は経営会議で決まると思います。",
        "鈴木: 全店に導入しましょう。／田中: いや、それはちょっと難しいですね。",
        "田中: 予算が承認されるかどうかは分かりません。",
        "田中: 昨年は中止になりました。",
        "田中: お客様からは値上げはやめてほしいと言われています。",
    ],
)
def test_proposals_reports_suppositions_and_steps_of_the_meeting_are_no_decisions(lines: str) -> None:
    assert decisions(lines) == []


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("Anna: So let's go with the second option.", "Go with the second option"),
        ("Anna: We have decided to launch the product in May.", "Launch the product in May"),
        ("Anna: The budget for training is approved.", "The budget for training is approved"),
        ("Anna: We will not renew the contract with the agency.", "Not renew the contract with the agency"),
    ],
)
def test_english_decisions(lines: str, text: str) -> None:
    assert decisions(lines, "en") == [text]


@pytest.mark.parametrize(
    "lines",
    [
        "Tom: Maybe we should postpone the launch.／Anna: No, I don't think so.",
        "Tom: What if we hired an agency?",
        "Anna: Let's get started.",
        "Anna: Last month we decided to hire two people.",
        "Anna: We haven't decided on the venue yet.",
        "Anna: If the test fails, we will cancel the launch.",
        "Tom: The client decided to change the vendor.",
    ],
)
def test_english_proposals_and_reports_are_no_decisions(lines: str) -> None:
    assert decisions(lines, "en") == []


def test_a_pronoun_brings_its_antecedent_as_evidence() -> None:
    found = drafted(
        "鈴木: 契約を二年にするのはどうでしょうか。／田中: では、それでいきましょう。／鈴木: はい。"
    ).decisions
    assert [f.segments for f in found] == [["s0001", "s0002"]]


def test_a_confirmed_question_cites_the_answer() -> None:
    found = drafted("田中: 研修はオンラインで実施するということでよろしいですか。／鈴木: 異議なしです。").decisions
    assert [f.segments for f in found] == [["s0001", "s0002"]]


def test_a_decision_said_twice_is_one_item_with_both_lines() -> None:
    found = drafted(
        "田中: 店舗の改装は来年三月に行うことにします。／鈴木: はい。／田中: では確認です。店舗の改装は来年三月に行うことに決定します。"
    ).decisions
    assert len(found) == 1 and found[0].segments == ["s0001", "s0003"]


def test_motions_that_differ_in_their_number_stay_apart() -> None:
    lines = "田中: 第一号議案は賛成多数で可決されました。／田中: 第二号議案は賛成多数で可決されました。"
    assert len(decisions(lines)) == 2


def test_a_suggestion_of_the_chair_alone_is_marked() -> None:
    found = drafted(
        "田中: 会議を始めます。／田中: 次の議題は広告です。／田中: ところで、テレビ広告をやめましょう。／鈴木: 費用が気になります。"
    )
    assert [[r.code for r in f.reasons] for f in found.decisions] == [["weak_decision"]]
