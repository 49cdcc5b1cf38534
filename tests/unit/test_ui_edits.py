"""Changes by people over a transcript and its minutes: applied, undone, kept after a rerun, never in the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.common.editlog import Edit, EditLog, effective
from apps.common.provenance import Check, Origin
from apps.minutes.model import ActionItem, Meeting, Minutes, Segment, Statement, Topic, Transcript
from apps.minutes.ui.edits import View, apply, items_of, restore_confirmations

REVIEW = Check(status="needs_review", reasons=["日付が根拠にありません。"])


def transcript() -> Transcript:
    said = [
        ("S1", "話者1", "案内状を作成してください。"),
        ("S2", "話者2", "承知しました。"),
        ("S10", "話者10", "はい。"),
    ]
    return Transcript(
        language="ja",
        segments=[
            Segment(id=f"s000{i}", start=i, end=i + 1, speaker=name, speaker_id=speaker, text=text)
            for i, (speaker, name, text) in enumerate(said, 1)
        ],
        speakers={"S1": "話者1", "S2": "話者2", "S10": "話者10"},
    )


def minutes() -> Minutes:
    model = Origin(source="model", request_ids=["r1"], model="m", prompt="p@1")
    return Minutes(
        meeting=Meeting(title="定例", date="2026-11-11", participants=["話者1", "鈴木"]),
        decisions=[Statement(id="d1", text="話者1が話者10へ渡す。", evidence=["s0001"], check=REVIEW, origin=model)],
        actions=[ActionItem(task="案内状を作成", owner="話者2", evidence=["s0001", "s0002"], origin=model)],
        topics=[Topic(title="案内", points=[Statement(text="案内状の件。", evidence=["s0001"])])],
    )


def edit(op: str, target: str = "", **values: Any) -> Edit:
    return Edit(at="2026-11-23T00:00:00+00:00", by="佐藤", op=op, target=target, values=values)


def view(*edits: Edit) -> View:
    return apply(transcript(), minutes(), edits)


def made(shown: View) -> Minutes:
    assert shown.minutes is not None
    return shown.minutes


def test_every_item_gets_an_id_to_be_named_by() -> None:
    assert [item.id for item in items_of(made(view()))] == ["d1", "actions-1", "topic-1-1"]


def test_an_edited_line_keeps_what_was_recognised() -> None:
    segment = view(
        edit("line", "s0001", text="案内を作る。"), edit("line", "s0001", text="案内を書く。")
    ).transcript.segments[0]
    assert (segment.text, segment.original, segment.marks) == ("案内を書く。", "案内状を作成してください。", ["edited"])


def test_one_line_goes_to_another_speaker_and_the_others_stay() -> None:
    shown = view(edit("line", "s0001", speaker="話者2"), edit("line", "s0003", speaker="田中"))
    assert [(s.speaker_id, s.speaker) for s in shown.transcript.segments] == [
        ("S2", "話者2"), ("S2", "話者2"), ("P4", "田中"),
    ]  # fmt: skip


def test_a_speakers_name_changes_everywhere_without_touching_others_like_it() -> None:
    shown = view(edit("speaker", "S1", name="田中"), edit("speaker", "S2", name="佐藤"))
    assert [s.speaker for s in shown.transcript.segments] == ["田中", "佐藤", "話者10"]
    assert made(shown).decisions[0].text == "田中が話者10へ渡す。"
    assert made(shown).actions[0].owner == "佐藤"
    assert made(shown).meeting.participants == ["田中", "鈴木"]


def test_a_real_name_is_not_replaced_inside_other_words() -> None:
    shown = view(
        edit("speaker", "S1", name="田中"),
        edit("item", "d1", text="田中製作所に渡す。"),
        edit("speaker", "S1", name="中田"),
    )
    assert made(shown).decisions[0].text == "田中製作所に渡す。"


def test_an_edited_item_is_a_persons_and_keeps_its_evidence() -> None:
    item = made(view(edit("item", "actions-1", task="案内を送る", owner=None, due="2026-11-20"))).actions[0]
    assert (item.task, item.owner, item.due, item.evidence) == ("案内を送る", None, "2026-11-20", ["s0001", "s0002"])
    assert item.origin is not None
    assert (item.origin.source, item.origin.request_ids) == ("person", ["r1"])


def test_only_what_belongs_to_an_item_can_be_changed_by_an_edit() -> None:
    item = made(view(edit("item", "d1", evidence=["s0003"], check="x", text="新"))).decisions[0]
    assert (item.text, item.evidence, item.check) == ("新", ["s0001"], REVIEW)


def test_a_confirmed_item_stays_confirmed_after_the_checks_ran_again() -> None:
    shown = view(edit("confirm", "d1"))
    restore_confirmations(shown)
    assert made(shown).decisions[0].check.status == "supported"
    assert shown.confirmed["d1"].by == "佐藤"


def test_a_confirmation_ends_when_the_item_or_a_line_it_cites_changes() -> None:
    assert view(edit("confirm", "d1"), edit("item", "d1", text="別の文。")).confirmed == {}
    assert view(edit("confirm", "d1"), edit("line", "s0001", text="別。")).confirmed == {}
    assert set(view(edit("confirm", "d1"), edit("line", "s0003", text="別。")).confirmed) == {"d1"}


def test_an_added_item_is_its_authors_and_a_removed_one_is_gone() -> None:
    shown = view(edit("add", "actions", id="person-1", task="会場を予約", owner="鈴木"), edit("remove", "d1"))
    assert [a.task for a in made(shown).actions] == ["案内状を作成", "会場を予約"]
    assert made(shown).decisions == []
    assert "person-1" in shown.confirmed


def test_a_rerun_drops_changes_of_items_but_not_of_the_transcript() -> None:
    edits = [
        edit("line", "s0001", text="直した。"),
        edit("item", "d1", text="古い。"),
        edit("regenerated"),
        edit("item", "d1", text="新しい。"),
    ]
    assert made(view(*edits[:3])).decisions[0].text == minutes().decisions[0].text
    assert made(view(*edits)).decisions[0].text == "新しい。"
    assert view(*edits).transcript.segments[0].text == "直した。"


def test_changes_of_what_is_gone_and_words_from_the_future_are_passed_over() -> None:
    shown = view(edit("line", "s9999", text="x"), edit("item", "zz", text="x"), edit("dance", "d1"))
    assert shown.transcript == transcript()


def test_a_meeting_without_minutes_still_has_its_transcript_edited() -> None:
    shown = apply(transcript(), None, [edit("speaker", "S1", name="田中"), edit("confirm", "d1"), edit("remove", "d1")])
    assert (shown.minutes, shown.transcript.segments[0].speaker) == (None, "田中")


def test_the_results_themselves_are_never_changed() -> None:
    before, record = transcript(), minutes()
    apply(before, record, [edit("line", "s0001", text="x"), edit("speaker", "S1", name="y"), edit("remove", "d1")])
    assert (before, record) == (transcript(), minutes())


def test_the_log_keeps_changes_and_undo_takes_back_the_last(tmp_path: Path) -> None:
    log = EditLog(tmp_path / "edits.jsonl")
    assert log.undo("佐藤") is None
    log.add("佐藤", "line", "s0001", text="一\n二")
    log.add("佐藤", "confirm", "d1")
    undone = log.undo("田中")
    assert undone is not None and undone.op == "confirm"
    assert [(e.op, e.values) for e in log.effective()] == [("line", {"text": "一\n二"})]
    assert [e.op for e in log.all()] == ["line", "confirm", "undo"]


def test_a_line_cut_short_by_a_kill_costs_only_itself(tmp_path: Path) -> None:
    log = EditLog(tmp_path / "edits.jsonl")
    log.add("佐藤", "confirm", "d1")
    with log.file.open("ab") as file:
        file.write('{"at": "2026", "by": "佐'.encode()[:-1])
    log.add("佐藤", "confirm", "d2")
    assert [e.target for e in log.all()] == ["d1", "d2"]


@given(st.lists(st.sampled_from(["a", "b", "undo"]), max_size=20))
def test_undo_is_a_stack(ops: list[str]) -> None:
    kept: list[str] = []
    for op in ops:
        kept = kept[:-1] if op == "undo" else [*kept, op]
    assert [e.op for e in effective([edit(op) for op in ops])] == kept
