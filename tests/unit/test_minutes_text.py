"""Sentences, names, deadlines, wording, topics, open questions, the verifier."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.minutes.model import Segment, Transcript
from apps.minutes.text import plain, plain_en
from apps.minutes.text.cues import CUES, cues
from apps.minutes.text.dues import find_due, without_due
from apps.minutes.text.people import People, departments, person
from apps.minutes.text.reasons import Reason, pattern, sentence
from apps.minutes.text.sentences import sentences, split
from apps.minutes.text.verify import verify
from tests.helpers.talks import drafted

MONDAY = date(2026, 11, 23)
NAMES = People.of(["佐久間 美緒（営業部）", "森", "原", "小田切", "Karen Smith", "田中一郎"])


def parts(text: str) -> list[str]:
    return [text[a:b].strip() for a, b in split(text)]


# ── sentences ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("わかりました。では次です。", ["わかりました。", "では次です。"]),
        (
            "わかりましたではA案で進めます来週までにお願いします",
            ["わかりました", "ではA案で進めます", "来週までにお願いします"],
        ),
        ("始めよっか まず通知の件ね", ["始めよっか", "まず通知の件ね"]),
        ("先日お願いしました件ですがどうなりましたか", ["先日お願いしました件ですがどうなりましたか"]),
        ("1.5億円です。3.5%です", ["1.5億円です。", "3.5%です"]),
        ("We meet at 9 a.m. on Monday. OK?", ["We meet at 9 a.m. on Monday.", "OK?"]),
        ("夜間バッチが遅くてですね 六時間半かかります", ["夜間バッチが遅くてですね", "六時間半かかります"]),
    ],
)
def test_sentences_end_at_marks_and_where_the_grammar_ends_them(text: str, expected: list[str]) -> None:
    assert parts(text) == expected


@given(st.text(alphabet="はいですます。、 A案資料をください終わりたno. ", max_size=60))
def test_splitting_loses_nothing_but_white_space(text: str) -> None:
    spans = split(text)
    assert "".join(text[a:b] for a, b in spans).replace(" ", "") == text.replace(" ", "")
    assert all(a < b for a, b in spans)


def _said(*lines: tuple[str, str, float]) -> Transcript:
    return Transcript(
        language="ja",
        segments=[
            Segment(id=f"s{n}", start=start, end=start + 1, speaker=who, text=text, speaker_id=who)
            for n, (who, text, start) in enumerate(lines, 1)
        ],
    )


def test_a_clause_cut_by_a_breath_is_joined_and_cites_both_segments() -> None:
    found = sentences(_said(("A", "来週の水曜日までに、", 0), ("A", "資料を送ってください。", 1.5)))
    assert [(s.text, s.segments) for s in found] == [("来週の水曜日までに、資料を送ってください。", ("s1", "s2"))]


def test_another_speaker_or_a_long_pause_ends_the_sentence() -> None:
    assert len(sentences(_said(("A", "資料は", 0), ("B", "はい", 1.2)))) == 2
    assert len(sentences(_said(("A", "資料は", 0), ("A", "明日です", 9)))) == 2


def test_inaudible_segments_are_not_read() -> None:
    transcript = _said(("A", "送ります。", 0))
    transcript.segments[0].marks.append("inaudible")
    assert sentences(transcript) == []


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("作間さん、お願いします", ["佐久間 美緒"]),
        ("森林の原因は森さんが調べます", ["森"]),
        ("お客様には原から連絡します", ["原"]),
        ("皆さん、お客さんと業者さんに", []),
        ("三栄商事さんの件", []),
        ("Karen, can you send it?", ["Karen Smith"]),
        ("田中さんと山田さん", ["田中一郎", "山田"]),
    ],
)
def test_names_are_found_also_when_written_by_sound(text: str, names: list[str]) -> None:
    assert [n.name for n in NAMES.mentions(text)] == names


def test_who_is_not_in_the_list_is_not_known() -> None:
    assert [(n.known, n.sure) for n in NAMES.mentions("山田さん")] == [(False, False)]


def test_a_participant_is_given_with_department_or_title() -> None:
    assert person("営業部 田中 部長").name == "田中"
    assert person("佐久間 美緒（営業部）").calls == ("佐久間美緒", "佐久間", "美緒")
    assert [d.name for d in departments("法務部と審査部が確認します")] == ["法務部", "審査部"]


def test_two_participants_who_sound_alike_are_not_guessed() -> None:
    assert People.of(["佐藤", "斎藤", "斉藤"]).resolve("西藤") is None


# ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "words", "day"),
    [
        ("提案書を十二月四日金曜日までに作成してください", "十二月四日金曜日までに", "2026-12-04"),
        ("本日15時までに送ってください", "本日15時までに", "2026-11-23"),
        ("来週いっぱいで詰めます", "来週いっぱい", "2026-12-04"),
        ("十二月三日に報告します", "十二月三日", "2026-12-03"),
        ("次回の委員会までに用意します", "次回の委員会までに", "2026-12-07"),
        ("Send it no later than March 13.", "no later than March 13", "2027-03-13"),
    ],
)
def test_a_deadline_keeps_its_words_and_has_a_day(text: str, words: str, day: str) -> None:
    due = find_due(text, MONDAY, date(2026, 12, 7))
    assert due is not None
    assert (due.text, str(due.day), due.reasons) == (words, day, ())


@pytest.mark.parametrize(
    "text", ["十二月十日の会議の資料です", "12月1日以降に届きます", "先週の会議", "毎月末に締めます", "三日間の研修"]
)
def test_a_date_that_only_describes_is_no_deadline(text: str) -> None:
    assert find_due(text, MONDAY, None) is None


def test_a_deadline_is_taken_out_of_the_task() -> None:
    text = "提案書を十二月四日までに作成する"
    assert without_due(text, find_due(text, MONDAY, None)) == "提案書を作成する"
    assert without_due("資料を作る", None) == "資料を作る"


def test_weekday_and_date_that_contradict_each_other_are_marked() -> None:
    due = find_due("十二月四日木曜日までに", MONDAY, None)
    assert due is not None and [r.code for r in due.reasons] == ["due_weekday"]


# ── wording ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("作っていただけますでしょうか", "作る"), ("整理しといてもらっていいですか", "整理する"), ("業者に聞いといてくれますか", "業者に聞く"),
        ("資料をお送りください", "資料を送る"), ("資料をご準備願います", "資料を準備する"), ("皆さんにお配りします", "皆さんに配る"),
        ("先方に連絡させていただきます", "先方に連絡する"), ("全店舗には導入しません", "全店舗には導入しない"), ("金利を変えません", "金利を変えない"),
        ("事前相談をお願いします", "事前相談"), ("警察署に確認をお願いします", "警察署に確認する"), ("交換を終わらせます", "交換を終わらせる"),
        ("規程の改定を行ってください", "規程の改定を行う"), ("在庫を調べてほしいんですけど", "在庫を調べる"),
    ],
)  # fmt: skip
def test_polite_speech_becomes_a_plain_clause(said: str, written: str) -> None:
    assert plain.plain(said) == written


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("不良が十四件ありました。", "不良が十四件あった"), ("参加者は四十五名です。", "参加者は四十五名"),
        ("苦情が減りました", "苦情が減った"), ("機械が動きました", "機械が動いた"), ("在庫を確認しました", "在庫を確認した"),
    ],
)  # fmt: skip
def test_reports_become_plain_statements(said: str, written: str) -> None:
    assert plain.statement_text(said.rstrip("。")) == written


def test_questions_become_written_questions() -> None:
    assert plain.question_text("受付は誰が担当しますか。") == "受付は誰が担当するか"
    assert plain.question_text("在庫はどのくらいですか") == "在庫はどのくらいか"


@given(st.text(alphabet="資料をお願いしますてくださいましたんですけど、。ねよ会議は送るない", max_size=30))
def test_no_text_breaks_the_grammar(text: str) -> None:
    for form in (plain.plain, plain.decision_text, plain.proposal_text, plain.statement_text, plain.question_text):
        assert isinstance(form(text), str)


def test_english_tasks_start_at_their_verb() -> None:
    assert plain_en.task_text("Okay, so could you please send them the quote?") == "Send them the quote"
    assert plain_en.decision_text("So let's keep the vendor.") == "Keep the vendor"


# ── topics, open questions, dissent, next meeting ───────────────────────────────────────────────────────────────────


def test_announced_topics_have_the_title_that_was_said() -> None:
    lines = (
        "田中: 会議を始めます。／田中: まず、相続の相談会について報告します。／鈴木: 参加は三十二社でした。／鈴木: 会場は本店です。"
        "／田中: 続いて、窓口の混雑についてです。／鈴木: 待ち時間は二十六分でした。／鈴木: 五十日は四十分です。"
    )
    topics = drafted(lines).topics
    assert [t.title for t in topics] == ["相続の相談会", "窓口の混雑"]
    assert [m.text for m in topics[1].points] == ["待ち時間は二十六分でした。", "五十日は四十分です。"]


@pytest.mark.parametrize(
    ("lines", "text", "evidence"),
    [
        ("鈴木: 受付は誰が担当しますか。／田中: 受付の担当はまだ決まっていません。", "受付の担当はまだ決まらない", ["s0001", "s0002"]),
        ("鈴木: 営業店にも参加してもらうんですか。／田中: それはまだですね。継続検討にしましょう。", "営業店にも参加してもらうか", ["s0001", "s0002"]),
        ("田中: 色は実物を見ないとなんとも言えません。", "色は実物を見ないとなんとも言えない", ["s0001"]),
        ("田中: 補償の範囲は法務の見解待ちなので保留です。", "補償の範囲は法務の見解待ちなので保留", ["s0001"]),
    ],
)  # fmt: skip
def test_what_stays_open_cites_the_question(lines: str, text: str, evidence: list[str]) -> None:
    found = drafted(lines).open_questions
    assert [f.segments for f in found] == [evidence]
    assert found[0].text[:6] == text[:6]


@pytest.mark.parametrize(
    "lines",
    [
        "鈴木: 何時からですか。／田中: 三時からです。",
        "田中: 検討の結果、A案に決めました。",
        "田中: 昨年はまだ決まっていませんでした。",
    ],
)
def test_what_is_answered_is_not_open(lines: str) -> None:
    assert drafted(lines).open_questions == []


def test_dissent_keeps_its_own_words_and_its_speaker() -> None:
    found = drafted("鈴木: 仮設のロープだけで動かすのは反対です。").dissent
    assert [(f.text, f.owner) for f in found] == [("仮設のロープだけで動かすのは反対です", "鈴木")]


@pytest.mark.parametrize(
    "line", ["田中: 反対意見はありますか。", "田中: 賛成四、反対一です。", "鈴木: 異議はありません。"]
)
def test_a_count_or_a_question_is_no_dissent(line: str) -> None:
    assert drafted(line).dissent == []


def test_the_next_meeting_has_a_day() -> None:
    found = drafted("田中: 次回は十二月七日の十時からです。").next_meeting
    assert found is not None and [str(d.day) for d in found.core.dates] == ["2026-12-07"]


# ── verifier, reasons, cues ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("statement", "codes"),
    [
        ("予算を3億5千万円とする", []),
        ("予算を350百万円とする", []),
        ("予算を3億円とする", ["number"]),
        ("来週水曜までに稟議書を作成する", []),
        ("12月2日までに稟議書を作成する", []),
        ("12月3日までに稟議書を作成する", ["date"]),
        ("小田切が稟議書を作成する", ["name"]),
        ("新工場を北海道に建設し採用を強化する", ["wording"]),
        ("稟議書を作成しない", ["negation"]),
    ],
)
def test_the_verifier_finds_what_the_lines_do_not_say(statement: str, codes: list[str]) -> None:
    cited = ["予算は三億五千万円とします。", "田中さん、稟議書を来週水曜までに作成してください。"]
    assert [r.code for r in verify(statement, cited, base=MONDAY, people=NAMES)] == codes


def test_nothing_cited_supports_nothing() -> None:
    assert [r.code for r in verify("予算", [], base=None, people=NAMES)] == ["no_evidence"]


def test_reasons_are_sentences_in_both_languages_and_recognised_again() -> None:
    reason = Reason("number", "3億円")
    assert sentence(reason, "ja") == "数値「3億円」は根拠の発言にありません。"
    assert "3億円" in sentence(reason, "en")
    assert pattern("number", "ja").fullmatch(sentence(reason, "ja"))
    assert not pattern("date", "ja").fullmatch(sentence(reason, "ja"))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_cue_is_there_in_both_languages(language: str) -> None:
    assert all(getattr(cues(language), name).pattern for name in CUES)
