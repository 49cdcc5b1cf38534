"""Who does what until when, and what is nobody's task."""

import pytest

from apps.minutes.text.found import Found
from tests.helpers.talks import drafted


def actions(lines: str, **options: object) -> list[Found]:
    return drafted(lines, **options).actions  # type: ignore[arg-type]


def told(lines: str, **options: object) -> list[tuple[str, str | None, str | None]]:
    return [(f.text, f.owner, str(f.due.day) if f.due and f.due.day else None) for f in actions(lines, **options)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("佐藤: 田中さん、稟議書を来週水曜日までに作成してください。／田中: 承知しました。", ("稟議書を作成する", "田中", "2026-12-02")),
        ("佐藤: 鈴木さんは、見積書を月末までに提出してください。", ("見積書を提出する", "鈴木", "2026-11-30")),
        ("佐藤: 会場の予約は鈴木さんにお願いします。期限は十二月四日です。／鈴木: はい。", ("会場の予約", "鈴木", "2026-12-04")),
        ("鈴木: 議案書は私のほうで直しておきます。", ("議案書を直す", "鈴木", None)),
        ("鈴木: じゃあ設定は俺が変えとくね。明日やるわ。／田中: 頼むね。", ("設定を変える", "鈴木", "2026-11-24")),
        ("佐藤: 誰か在庫を調べてもらえますか。／鈴木: では私が調べます。", ("在庫を調べる", "鈴木", None)),
        ("佐藤: 規程の改定は、法務部が十二月十五日までに行ってください。", ("規程の改定を行う", "法務部", "2026-12-15")),
        ("佐藤: パンフレットを直してもらえますか。／田中: わかりました。金曜までに直します。", ("パンフレットを直す", "田中", "2026-11-27")),
        ("鈴木: 先方には、わたしから連絡しておきましょうか。／佐藤: お願いします。", ("先方には、連絡する", "鈴木", None)),
        ("佐藤: 作間さん、手順書を更新しておいてください。", ("手順書を更新する", "佐久間", None)),
        ("佐藤: アンケートの集計を五営業日以内にお願いします、田中さん。", ("アンケートの集計", "田中", "2026-11-30")),
        ("鈴木: 契約書は持ち帰って確認します。", ("契約書を持ち帰って確認する", "鈴木", None)),
        ("佐藤: 田中さん、金利表を更新していただけると助かります。今週中で大丈夫です。／田中: はい。", ("金利表を更新する", "田中", "2026-11-27")),
    ],
)  # fmt: skip
def test_a_task_has_its_owner_and_its_day(lines: str, expected: tuple[str, str | None, str | None]) -> None:
    assert told(lines) == [expected]


@pytest.mark.parametrize(
    "lines",
    [
        "佐藤: 田中さん、進捗の報告をお願いします。／田中: はい。売上は五億円でした。",
        "佐藤: お手元の資料の二ページをご覧ください。",
        "佐藤: 次に、鈴木さん、お願いします。／鈴木: 先月の来店客数は三千人でした。",
        "佐藤: よろしくお願いします。",
        "田中: 十月の売上は五億円で推移しています。",
        "佐藤: もし誤送信に気付いたら、所属長に連絡してください。",
        "鈴木: お客様から年内に実行してほしいと言われています。",
        "鈴木: メーカーに私から連絡しておきましょうか。／佐藤: いえ、それは結構です。",
        "鈴木: 提案書は先週のうちに作成しました。",
        "佐藤: ご意見のある方は挙手をお願いします。",
        "田中: 返事は金曜日までに来ます。",
        "佐藤: それで進めてください。",
        "佐藤: 司会は鈴木さんにお願いします。",
        "田中: 私から説明します。",
        "佐藤: 鈴木さん、もう一度言っていただけますか。",
        "田中: この件、どうしましょうか。／佐藤: 難しいですね。",
    ],
)
def test_steps_of_the_meeting_reports_and_declined_offers_are_no_tasks(lines: str) -> None:
    assert told(lines) == []


def test_a_task_that_is_taken_back_is_gone() -> None:
    lines = "佐藤: 田中さん、警備の見積もりを取ってください。／鈴木: それは総務が手配済みです。／佐藤: では、警備の見積もりの件は取り消します。"
    assert told(lines) == []


def test_request_and_acceptance_are_evidence() -> None:
    found = actions("佐藤: 田中さん、稟議書を作成してください。／田中: 承知しました。／佐藤: では次に進みます。")
    assert [f.segments for f in found] == [["s0001", "s0002"]]


def test_two_people_asked_in_two_sentences_get_a_task_each() -> None:
    lines = "佐藤: 田中さんは資料を作成してください。鈴木さんは会場を予約してください。"
    assert told(lines) == [("資料を作成する", "田中", None), ("会場を予約する", "鈴木", None)]


def test_an_object_that_was_not_named_comes_from_the_sentence_before() -> None:
    found = actions(
        "佐藤: 温度センサーは今週中に交換することにします。田中さん、手配をお願いできますか。／田中: はい。"
    )
    assert [(f.text, f.owner) for f in found] == [("手配（温度センサーは今週中に交換する）", "田中")]


def test_nobody_named_and_nobody_answering_leaves_the_owner_open() -> None:
    found = actions("佐藤: 議事録のひな形を更新しておいてください。")
    assert [(f.owner, [r.code for r in f.reasons]) for f in found] == [(None, ["owner_missing"])]


def test_who_refuses_is_not_made_the_owner_when_another_volunteers() -> None:
    lines = "佐藤: 田中さん、在庫を調べてもらえますか。／田中: ちょっと今手一杯でして。／鈴木: では私が調べます。"
    assert told(lines) == [("在庫を調べる", "鈴木", None)]


def test_a_name_outside_the_list_is_kept_and_marked() -> None:
    found = actions("佐藤: 山田さん、見積書を送ってください。")
    assert [(f.owner, [r.code for r in f.reasons]) for f in found] == [("山田", ["owner_unknown"])]


def test_an_unnamed_speaker_who_promises_keeps_the_label_and_is_marked() -> None:
    found = actions("話者1: 契約書は私が直しておきます。")
    assert [(f.owner, [r.code for r in f.reasons]) for f in found] == [("話者1", ["owner_anonymous"])]


def test_an_unnamed_speaker_who_introduced_himself_is_known() -> None:
    found = actions(
        "話者1: 営業部の田中です。よろしくお願いします。／話者2: 契約書はどうしますか。／話者1: 契約書は私が直しておきます。"
    )
    assert [(f.owner, f.reasons) for f in found] == [("田中", [])]


def test_a_different_day_in_the_answer_is_marked() -> None:
    found = actions("佐藤: 田中さん、金曜までに報告書を出してください。／田中: 来週月曜までに出します。")
    assert found[0].due is not None
    assert (str(found[0].due.day), [r.code for r in found[0].reasons]) == ("2026-11-30", ["due_conflict"])


def test_without_a_meeting_date_the_words_stay_and_the_day_is_open() -> None:
    found = actions("佐藤: 田中さん、来週水曜までに報告書を出してください。", date=None)
    assert found[0].due is not None
    assert (found[0].due.day, found[0].due.text, [r.code for r in found[0].reasons]) == (
        None,
        "来週水曜までに",
        ["due_no_base"],
    )


def test_until_the_next_meeting_is_its_day_when_that_is_named() -> None:
    lines = "佐藤: 田中さん、次回の会議までに報告書を出してください。／田中: はい。／佐藤: 次回は十二月七日です。"
    assert told(lines) == [("報告書を出す", "田中", "2026-12-07")]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("Anna: Tom, please send the contract by Friday.／Tom: Will do.", ("Send the contract", "Tom", "2026-11-27")),
        ("Tom: I'll update the website by the end of the month.", ("Update the website", "Tom", "2026-11-30")),
        ("Anna: And Tom, can you call the supplier tomorrow?／Tom: Sure.", ("Call the supplier", "Tom", "2026-11-24")),
        ("Anna: Somebody needs to book the venue.／Tom: I can do that.", ("Book the venue", "Tom", None)),
    ],
)
def test_english_tasks(lines: str, expected: tuple[str, str, str | None]) -> None:
    assert told(lines, language="en") == [expected]


@pytest.mark.parametrize(
    "lines",
    [
        "Anna: Tom, could you give us an update?／Tom: Sure. Sales are up ten percent.",
        "Anna: Thank you, Tom.",
        "Tom: I'll be brief.",
        "Anna: Good morning, I will be chairing today.",
        "Tom: We'll see how it goes.",
        "Tom: I think we can do better.",
    ],
)
def test_english_small_talk_is_no_task(lines: str) -> None:
    assert told(lines, language="en") == []
