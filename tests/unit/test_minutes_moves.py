"""Moves of a dialogue: what opens a meeting, approves, takes back, replaces, objects, stays open."""

import pytest

from apps.minutes.text.found import Found
from tests.helpers.talks import drafted

PEOPLE = ("中村", "小林", "加藤", "渡辺", "江口", "Tom", "Anna", "Rachel")


def told(lines: str, section: str, language: str = "ja") -> list[str]:
    found: list[Found] = getattr(drafted(lines, people=PEOPLE, language=language), section)
    return [f.text for f in found]


@pytest.mark.parametrize(
    "lines",
    [
        "中村: じゃあ週次を始めましょう。／小林: お願いします。",
        "中村: それでは時間になりましたので品質会議のほうを始めさせていただきます。",
        "中村: おはよう じゃ朝会やりますか／小林: はい",
        "中村: みなさん聞こえてますか／小林: はい／中村: じゃあ揃ったので始めちゃいましょう",
        "中村: では次のアジェンダに進みたいと思います。／中村: 先に人事の話から片付けましょうか。／小林: はい。",
        "中村: 今日の予定を確認していきましょう。／小林: はい。",
        "Anna: Good evening. Let's call the meeting to order.",
    ],
)
def test_running_the_meeting_is_neither_decided_nor_a_task(lines: str) -> None:
    language = "en" if lines.isascii() else "ja"
    assert told(lines, "decisions", language) == [] and told(lines, "actions", language) == []


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("小林: 会場の飾り付けなんですが、見積もりが来まして三十八万円です。／中村: 承認します。その予算で進めてください。／小林: はい。", "会場の飾り付け（三十八万円）を承認"),
        ("小林: 外部講師の件ですが、謝礼は八万円で考えております。／中村: いいでしょう。それで手配してください。", "外部講師（八万円）を承認"),
        ("加藤: サーバーを増設したいんですけど、月四万円かかります。／中村: いいよ、やろう。", "サーバーを増設する"),
        ("中村: 教育費の増額を承認します。", "教育費の増額を承認する"),
        ("小林: ATMの改修ですが、二社から見積もりを取りました。／小林: 私としてはA社にお願いしたいと考えております。／中村: 結構です。A社で発注してください。", "ATMの改修はA社で発注する"),
    ],
)  # fmt: skip
def test_an_approval_decides_what_was_put_forward(lines: str, text: str) -> None:
    assert told(lines, "decisions") == [text]


def test_to_go_on_as_approved_is_nobodys_task() -> None:
    lines = "小林: 印刷費は六十二万円です。／中村: 承認します。その金額で進めてください。／小林: ありがとうございます。"
    assert told(lines, "actions") == []


def test_a_task_beside_an_approval_stays_a_task() -> None:
    lines = "加藤: 派遣社員を二名増やしたいのですが。／中村: 認めます。人事に話を通しておいてください。／加藤: はい。"
    assert told(lines, "decisions") == ["派遣社員を二名増やすことを承認"]
    assert told(lines, "actions") == ["人事に話を通す"]


@pytest.mark.parametrize(
    "lines",
    [
        "小林: 本社が承認しますので、それを待っています。",
        "小林: 承認していただけますか。／中村: うーん、どうでしょうね。",
        "小林: 価格を五パーセント上げたらどうですか。／中村: うーん、今は時期が悪いな。",
        "小林: テレワークを週三日にしませんか。／中村: 検討します。",
    ],
)
def test_what_others_approve_or_nobody_answers_is_not_decided(lines: str) -> None:
    assert told(lines, "decisions") == []


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        ("中村: じゃあ通訳は二名で手配ということで。／小林: でも生産者が三社に増えます。／中村: じゃあやっぱり三名にしましょう。", ["通訳は三名にする"]),
        ("中村: 納会は十八日にしましょう。／小林: はい。／加藤: 棚卸しと重なります。／中村: じゃあ二十二日に変更します。／小林: 了解です。", ["納会は二十二日に変更する"]),
        ("中村: ロゴはA案で決定します。／小林: はい。／渡辺: 商標に引っかかるそうです。／中村: では先ほどの決定は取り消して、B案にします。", ["ロゴはB案にする"]),
    ],
)  # fmt: skip
def test_a_later_decision_replaces_the_earlier_one(lines: str, texts: list[str]) -> None:
    assert told(lines, "decisions") == texts


def test_the_replaced_decision_is_evidence_of_the_new_one() -> None:
    lines = "中村: 受付は電話だけとします。／小林: それは困ります。／中村: では先ほどの受付の決定は撤回して、受付はメールも認めることにします。"
    found = drafted(lines, people=PEOPLE).decisions
    assert [f.segments for f in found] == [["s0001", "s0003"]]


def test_a_plan_that_is_scrapped_is_replaced_in_english_too() -> None:
    lines = "Anna: Let's keep it monthly then.／Tom: What about every six weeks?／Anna: All right, every six weeks it is. Scrap the monthly plan."
    assert told(lines, "decisions", "en") == ["Every six weeks it is"]


def test_proposal_confirmation_and_summing_up_are_one_decision() -> None:
    lines = "小林: 会場は大阪支店がいいと思います。／中村: では会場は大阪支店でいきましょう。／小林: 賛成です。／中村: 最後に確認ですが、会場は大阪支店ということで決定ですね。／小林: はい。"
    found = drafted(lines, people=PEOPLE).decisions
    assert [f.text for f in found] == ["会場は大阪支店でいく"]
    assert {"s0002", "s0004"} <= set(found[0].segments)


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        ("小林: 年末の当番は、いつ決まりますか。／中村: 営業日程が確定していないので、もう少し待ってください。", ["年末の当番は、いつ決まるか"]),
        ("加藤: 駐車場の契約って更新するんでしたっけ。／中村: 本社からまだ連絡来てないんだよね。", ["駐車場の契約は更新するか"]),
        ("渡辺: 保証期間は一年ですか。／中村: はい、一年です。", []),
        ("小林: 制服のデザインは誰が選ぶんですか。／中村: まだ決まっていません。／中村: では制服のデザインは次回に持ち越します。", ["制服のデザインは誰が選ぶか"]),
    ],
)  # fmt: skip
def test_a_question_without_an_answer_stays_open_once(lines: str, texts: list[str]) -> None:
    assert told(lines, "open_questions") == texts


@pytest.mark.parametrize(
    ("lines", "text", "evidence"),
    [
        ("中村: 第二号議案、子会社への貸付についてです。／小林: 貸付金利が低いように見えます。この点、私は留保したいと考えます。", "この点、私は留保したい（貸付金利が低いように見える）", ["s0002"]),
        ("中村: 全店を七時開店とすることに決定します。／渡辺: 私は納得がいきません。", "私は納得がいきません（全店を七時開店とすることに決定する）", ["s0001", "s0002"]),
        ("加藤: 有料化には賛同いたしかねます。", "有料化には賛同いたしかねます", ["s0001"]),
        ("加藤: 同席の必須化には賛成しかねます。／中村: では必須とします。／加藤: 私は反対であったことを記録に残してください。", "同席の必須化には賛成しかねます", ["s0001", "s0003"]),
    ],
)  # fmt: skip
def test_dissent_says_what_it_is_about_and_is_told_once(lines: str, text: str, evidence: list[str]) -> None:
    found = drafted(lines, people=PEOPLE).dissent
    assert [(f.text, f.segments) for f in found] == [(text, evidence)]


@pytest.mark.parametrize(
    ("lines", "actions"),
    [
        ("中村: 加藤さんと江口さんで、手順書を作ってください。／加藤: はい。", [("手順書を作る", "加藤・江口")]),
        ("中村: 棚卸しの集計は渡辺さんにお任せします。／渡辺: 承知しました。", [("棚卸しの集計を任せる", "渡辺")]),
        ("中村: 本社が決めたそうなので、それに従ってください。／中村: 小林さん、座席表を作ってください。／小林: はい。", [("座席表を作る", "小林")]),
        ("中村: もし台風が来たら、加藤さんに連絡してください。", []),
        ("中村: 小林さん、先日お願いした名簿はどうなりましたか。／小林: 昨日送りました。", []),
        ("加藤: 倉庫の鍵は誰が持っていますか。／江口: 私です。", []),
        ("加藤: 私としてはA社にお願いしたいと考えております。", []),
    ],
)  # fmt: skip
def test_who_is_asked_and_what_is_only_talked_about(lines: str, actions: list[tuple[str, str]]) -> None:
    assert [(f.text, f.owner) for f in drafted(lines, people=PEOPLE).actions] == actions


@pytest.mark.parametrize(
    ("lines", "section", "text"),
    [
        ("加藤: チェックシートを作りませんか。／渡辺: いいですね。／中村: それやりましょう。／加藤: はい。", "decisions", "チェックシートを作る"),
        ("小林: 勉強会を金曜に変えてもよろしいでしょうか。／中村: はい、いいですよ。", "decisions", "勉強会を金曜に変える"),
        ("中村: 規約の第七条を改正することについて、ご異議ございませんか。／加藤: 異議なし。", "decisions", "規約の第七条を改正する"),
        ("渡辺: 補償の範囲はまだ決まってないですよね。", "open_questions", "補償の範囲はまだ決まっていない"),
    ],
)  # fmt: skip
def test_a_polite_negative_does_not_turn_the_meaning_round(lines: str, section: str, text: str) -> None:
    assert told(lines, section) == [text]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("小林: 面会時間の延長はどうしましょうか。／中村: では現状維持で。", "面会時間の延長は現状維持"),
        ("中村: 第一号議案、決算報告書の承認についてお諮りします。／中村: よって、本議案は可決されました。", "決算報告書の承認は可決された"),
        ("小林: 来期の目標は前年比百十パーセントとすることに決まりました。", "来期の目標は前年比百十パーセントとする"),
    ],
)  # fmt: skip
def test_an_elliptic_decision_names_its_matter(lines: str, text: str) -> None:
    assert told(lines, "decisions") == [text]


@pytest.mark.parametrize(
    ("lines", "actions"),
    [
        ("中村: 渡辺さん、すぐ刷り直して。／渡辺: わかりました。", [("すぐ刷り直す", "渡辺")]),
        ("中村: アンケートをまとめといてもらえると助かります 小林さん／小林: はい、やっときます", [("アンケートをまとめる", "小林")]),
        ("小林: 消防署から訓練を早めてほしいと言われました。", []),
        ("渡辺: 十パーセントまで認めていただけないでしょうか。／中村: それは無理です。", []),
        ("中村: 見積もりが出揃ってからにしましょうか。／渡辺: そうですね。", []),
    ],
)  # fmt: skip
def test_bare_commands_count_and_quoted_or_refused_requests_do_not(lines: str, actions: list[tuple[str, str]]) -> None:
    assert [(f.text, f.owner) for f in drafted(lines, people=PEOPLE).actions] == actions


@pytest.mark.parametrize(
    ("said", "texts"),
    [
        ("わかりました、受付には案内係を置きます。", ["受付には案内係を置く"]),
        ("案内係は去年も置いています。", []),
        ("案内係を置くと人が足りないかな。", []),
        ("受付の案内係は何人ですか。", []),
    ],
)
def test_the_chairs_plain_word_behind_a_proposal_decides(said: str, texts: list[str]) -> None:
    lines = f"中村: 会議を始めます。／小林: 受付に案内係を置くのはいかがでしょう。／加藤: 列が短くなります。／中村: {said}／中村: では終わります。"
    assert told(lines, "decisions") == texts


def test_the_same_words_without_a_proposal_or_from_another_do_not_decide() -> None:
    assert told("中村: 会議を始めます。／中村: 受付には案内係を置きます。／中村: では終わります。", "decisions") == []


@pytest.mark.parametrize(
    "said", ["正直、気が進みません。", "決まりなら従いますが、納得はしていません。", "その点は引っかかります。"]
)
def test_reservations_without_the_word_opposed_are_dissent(said: str) -> None:
    lines = f"小林: 土曜も窓口を開けたらどうでしょう。／加藤: {said}"
    assert [f.owner for f in drafted(lines, people=PEOPLE).dissent] == ["加藤"]


@pytest.mark.parametrize(
    "said",
    ["その件は先方の返事を見てから決めましょう。", "来月の集計が終わってからですね。", "そこは寝かせておきましょう。"],
)
def test_what_waits_for_something_stays_open(said: str) -> None:
    lines = f"小林: 駐車場の契約は更新しますか。／中村: {said}"
    assert len(told(lines, "open_questions")) == 1
