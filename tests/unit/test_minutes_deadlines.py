"""Deadlines counted from events, corrected in speech, agreed on in the answer. A wrong day is worse than none."""

import pytest

from tests.helpers.talks import drafted

PEOPLE = ("中村", "小林", "加藤", "江口", "Tom", "Anna")


def dues(lines: str, language: str = "ja") -> list[tuple[str, str | None, list[str]]]:
    """Words, day and what is doubted about each deadline; the meeting is on Monday 2026-11-23."""
    found = drafted(lines, people=PEOPLE, language=language).actions
    return [
        (f.due.text, str(f.due.day) if f.due.day else None, [r.code for r in f.reasons if r.code.startswith("due")])
        for f in found
        if f.due
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("中村: 試飲会は十二月十日です。／中村: 小林さん、リストを試飲会の三日前までに渡してください。／小林: はい。", ("試飲会の三日前までに", "2026-12-07", [])),
        ("中村: 加藤さん、監査の一週間前までに台帳を揃えてください。／加藤: はい。／中村: 監査は三月十日です。", ("監査の一週間前までに", "2027-03-03", [])),
        ("中村: 発売日は十二月十五日です。／中村: 小林さん、発売日の前日までに資料を出してください。", ("発売日の前日までに", "2026-12-14", [])),
        ("中村: 小林さん、発売日の前日までに資料を出してください。", ("発売日の前日までに", None, ["due_event_unknown"])),
        ("中村: 江口さん、盆明けまでに見積もりを取ってください。", ("盆明けまでに", None, ["due_event_unknown"])),
        ("中村: 請求書は締め日までに経理へ回してください、加藤さん。", ("締め日までに", None, ["due_event_unknown"])),
        ("中村: 展示会は一月二十日です。／加藤: 二十七日じゃなかったでしたっけ。／中村: 江口さん、パネルを展示会の三日前までに作ってください。", ("展示会の三日前までに", None, ["due_event_days"])),
        ("中村: 展示会は一月二十日です。／中村: あ、すみません、二十七日です。／中村: 江口さん、パネルを展示会の三日前までに作ってください。", ("展示会の三日前までに", "2027-01-24", [])),
        ("中村: 加藤さん、五十日までにデータを作ってください。", ("五十日までに", "2026-11-25", [])),
    ],
)  # fmt: skip
def test_a_deadline_counted_from_an_event(lines: str, expected: tuple[str, str | None, list[str]]) -> None:
    assert dues(lines) == [expected]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("加藤: 報告書は私が九日までに、いや、十日までに出します。", ("十日までに", "2026-12-10", [])),
        ("加藤: 校正は来週の水曜、あ、水曜は出張なので木曜までに私が戻します。", ("木曜までに", "2026-12-03", [])),
        ("中村: 加藤さん、契約書を今週中に確認してください。／加藤: 来週の火曜でもいいですか。／中村: うん、火曜でいいよ。", ("来週の火曜", "2026-12-01", [])),
        ("中村: 加藤さん、報告書を二十五日までに出してください。／加藤: 二十七日なら出せます。／中村: では二十七日で構いません。", ("二十七日", "2026-11-27", [])),
        ("中村: 加藤さん、金曜までに報告書を出してください。／加藤: 来週月曜までに出します。", ("来週月曜までに", "2026-11-30", ["due_conflict"])),
    ],
)  # fmt: skip
def test_the_day_agreed_on_last_counts(lines: str, expected: tuple[str, str | None, list[str]]) -> None:
    assert dues(lines) == [expected]


def test_the_answer_that_repeats_a_part_of_the_day_changes_nothing() -> None:
    lines = "中村: 加藤さん、来週の水曜までに図面を送ってください。／加藤: はい、水曜までに送ります。"
    assert dues(lines) == [("来週の水曜までに", "2026-12-02", [])]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("Tom: I'll send it round by the 25th, sorry, the 27th.", ("the 27th", "2026-11-27", [])),
        ("Tom: Anna, could you send the agenda two days before the workshop?／Anna: Sure.／Tom: The workshop is on December 9th.", ("two days before the workshop", "2026-12-07", [])),
        ("Tom: Anna, please tell the printer three days before the June mailing.／Anna: Will do.", ("three days before the June mailing", None, ["due_event_unknown"])),
        ("Tom: Anna, can you finish the report by Friday?／Anna: Could I have until Monday?／Tom: Monday is fine.", ("until Monday", "2026-11-30", [])),
        ("Tom: Anna, please finish it by close of business tomorrow.", ("tomorrow", "2026-11-24", [])),
    ],
)  # fmt: skip
def test_english_deadlines(lines: str, expected: tuple[str, str | None, list[str]]) -> None:
    assert dues(lines, "en") == [expected]


def test_before_the_next_call_is_its_day_in_english_too() -> None:
    lines = "Tom: Anna, please check the quote before our next call.／Anna: Will do.／Tom: Our next meeting is on December 3."
    assert dues(lines, "en") == [("before our next call", "2026-12-03", [])]


@pytest.mark.parametrize(
    "text", ["据え置きは半年でそろえると私が連絡しておきます。", "月末締めで集計を出してください、加藤さん。"]
)
def test_how_long_and_by_which_closing_is_no_deadline(text: str) -> None:
    assert [day for _, day, _ in dues(f"中村: {text}")] == []
