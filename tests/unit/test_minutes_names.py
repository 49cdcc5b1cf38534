"""Which participant a voice is: certain after an introduction, likely after one answer, else it stays 話者N."""

from apps.minutes.model import Meeting, Transcript
from apps.minutes.pipeline import with_names
from tests.helpers.talks import drafted, transcript

PEOPLE = ("田中", "鈴木", "佐藤")


def who(lines: str, people: tuple[str, ...] = PEOPLE) -> dict[str, tuple[str, bool]]:
    """Label → name and whether it is certain, of every voice that has a name."""
    talk = drafted(lines, people=people).talk
    labels = {m.speaker: m.sentence.speaker for m in talk.moves}
    return {labels[s]: (i.name, i.known) for s, i in talk.speakers.items() if i.name != labels[s]}


def named(lines: str, people: tuple[str, ...] = PEOPLE) -> Transcript:
    source = transcript(lines)
    source.speakers = {s.speaker_id or "": s.speaker for s in source.segments}
    return with_names(source, Meeting(title="会議", date=None, participants=list(people)))


def test_who_introduces_himself_is_certain() -> None:
    assert who("話者1: 総務部の田中です。よろしくお願いします。／話者2: はい。") == {"話者1": ("田中", True)}


def test_who_answers_when_called_is_likely_and_certain_the_second_time() -> None:
    once = "話者1: 鈴木さん、報告をお願いします。／話者2: はい、売上は五億円でした。"
    assert who(once) == {"話者2": ("鈴木", False)}
    twice = f"{once}／話者1: 鈴木さん、来月はいかがですか。／話者2: 六億円の見込みです。"
    assert who(twice) == {"話者2": ("鈴木", True)}


def test_who_calls_a_name_is_not_that_person() -> None:
    lines = "話者1: 鈴木さん、いかがですか。／話者2: 鈴木さん、先にどうぞ。／話者3: はい、問題ありません。"
    assert "話者2" not in who(lines)


def test_a_name_that_two_voices_may_have_stays_open() -> None:
    lines = "話者1: 営業の田中です。／話者2: 総務の田中です。"
    assert who(lines) == {}


def test_somebody_talked_about_names_nobody() -> None:
    assert who("話者1: 鈴木さんに聞いてください。／話者2: はい。／話者1: 鈴木さんの資料です。／話者2: はい。") == {}


def test_a_stranger_is_named_only_by_an_introduction_and_without_a_list() -> None:
    lines = "話者1: 品質保証課の小林です。／話者2: 加藤さん、どうですか。／話者3: はい、順調です。"
    assert who(lines, people=()) == {"話者1": ("小林", True)}
    assert who(lines) == {}


def test_certain_names_stand_in_the_transcript_likely_ones_are_suggested() -> None:
    lines = "話者1: 営業の田中です。鈴木さん、報告をお願いします。／話者2: はい、五億円でした。"
    found = named(lines)
    assert [s.speaker for s in found.segments] == ["田中", "話者2"]
    assert found.speakers == {"S1": "田中", "S2": "話者2"}
    assert found.meta["speaker_names"] == [
        {"speaker_id": "S1", "label": "話者1", "name": "田中", "certain": True, "evidence": ["s0001"]},
        {"speaker_id": "S2", "label": "話者2", "name": "鈴木", "certain": False, "evidence": ["s0001", "s0002"]},
    ]


def test_names_given_in_the_transcript_are_left_alone() -> None:
    found = named("田中: 鈴木さん、報告をお願いします。／鈴木: はい、五億円でした。")
    assert [s.speaker for s in found.segments] == ["田中", "鈴木"] and "speaker_names" not in found.meta
