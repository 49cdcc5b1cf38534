"""Whole meetings in the words people use: what is decided, who does what, what stays open, who has doubts."""

from apps.minutes.text.draft import Draft
from tests.helpers.talks import drafted

JAPANESE = (
    "田中部長: それでは第3回システム更改定例を始めます。今日は移行日程とテスト体制、あと予算の件です。／"
    "佐藤: まず移行日程ですが、前回5月の連休案と8月の夏季休業案の二つが出ていました。ベンダーさんに確認したところ、5月だと要員が確保できないそうです。／"
    "鈴木: 営業店としては8月はお盆前の資金移動が多いので、できれば避けたいんですよね。／"
    "田中部長: うーん、とはいえ5月が無理なら8月しかないので、8月13日から16日の4日間でいきましょう。／"
    "鈴木: わかりました。個人的にはまだ心配ですけど、従います。／"
    "佐藤: では営業店向けの案内文は私が作って、来週の金曜までに鈴木さんに見ていただく、でいいですか。／"
    "鈴木: はい、見ます。／"
    "田中部長: 次、テスト体制。受入テストは各部から2名ずつ出してもらうことにします。名簿は高橋さん、今月末までにまとめてもらえますか。／"
    "高橋: 承知しました。ただ審査部だけは1名にしてほしいと言われています。／"
    "田中部長: 審査部の件は私から部長に話します。そこは保留で、次回決めましょう。／"
    "高橋: 予算ですが、追加の回線費用として年間で480万円ほど見込まれます。当初は300万円でした。／"
    "田中部長: 差額の180万円は予備費から出します。経理への申請は佐藤さん、12月5日までにお願いします。／"
    "佐藤: はい、やっておきます。／"
    "鈴木: ATMの停止時間って結局どのくらいになるんでしたっけ。お客さまから聞かれるので。／"
    "佐藤: そこはまだベンダーから回答が来ていません。／"
    "田中部長: では次回は12月8日の10時から、場所は第二会議室です。以上で終わります。"
)
ENGLISH = (
    "Priya: OK, three things today: the pilot branches, the fee waiver and the complaint backlog.／"
    "Tom: For the pilot I'd start with Leeds and Bristol. Cardiff isn't ready, their new manager only joins in March.／"
    "Priya: Fine, Leeds and Bristol then. We start on the 2nd of February.／"
    "Maria: I still think we should have one rural branch, otherwise the numbers won't tell us much. But go ahead.／"
    "Priya: Noted. Tom, can you get the training material to both branches by the 20th of January?／"
    "Tom: Yep, will do.／"
    "Maria: On the fee waiver, finance say it costs us about 85,000 pounds a year. Do we extend it to students?／"
    "Priya: Let's not decide that today. I want to see the churn figures first.／"
    "Maria: I'll pull those together and send them round on Monday.／"
    "Tom: The complaint backlog went from 140 to 212. We agreed last time to hire two temps, that's been approved by HR.／"
    "Priya: Good. So from now on anything older than ten days comes to me personally.／"
    "Tom: Who tells the call centre?／"
    "Priya: Maria, please let them know today. Next meeting same time in two weeks."
)


def tasks(found: Draft) -> list[tuple[str, str | None, str | None]]:
    return [(f.text, f.owner, str(f.due.day) if f.due and f.due.day else None) for f in found.actions]


def test_a_japanese_project_meeting_without_a_list_of_participants() -> None:
    found = drafted(JAPANESE, people=())
    decided = " ".join(f.text for f in found.decisions)
    assert "8月13日から16日" in decided and "各部から2名ずつ出す" in decided
    assert "差額の180万円は予備費から出す" in [f.text for f in found.decisions]
    assert ("営業店向けの案内文を作る", "佐藤", None) in tasks(found)
    assert any(owner == "鈴木" and due == "2026-12-04" for _, owner, due in tasks(found))
    assert ("名簿をまとめる", "高橋", "2026-11-30") in tasks(found)
    assert not any(r.code == "owner_unknown" for f in found.actions for r in f.reasons)
    assert any(f.text.startswith("審査部") for f in found.open_questions)
    assert [f.owner for f in found.dissent] == ["鈴木"]
    assert [s.title for s in found.topics] == ["移行日程", "テスト体制", "予算"]
    assert found.next_meeting is not None


def test_an_english_meeting_in_plain_words() -> None:
    found = drafted(ENGLISH, people=(), language="en")
    decided = [f.text for f in found.decisions]
    assert "Leeds and Bristol" in decided and any("older than ten days" in text for text in decided)
    assert ("Get the training material to both branches", "Tom", "2027-01-20") in tasks(found)
    assert ("Pull the churn figures together and send them round", "Maria", "2026-11-30") in tasks(found)
    assert any(owner == "Maria" and text.startswith("Let them know") for text, owner, _ in tasks(found))
    assert [f.text for f in found.open_questions] == ["Do we extend it to students"]
    assert [f.owner for f in found.dissent] == ["Maria"]
    assert found.next_meeting is not None
