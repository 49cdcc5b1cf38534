"""The taggers of lines: training, keeping, and what the shipped ones say of sentences they have not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.tagging import Line, Tagger
from apps.common.tagging.features import BUCKETS, features
from apps.common.tagging.outline import Unit, outlined
from apps.minutes.text import tags
from tuning.tagging import briefs, meetings
from tuning.tagging.texts import Labelled
from tuning.tagging.train import Recipe, excerpts, train

QUESTIONS = ("何時ですか", "どこですか", "誰ですか", "いくらですか")
ORDERS = ("資料を送ってください", "予約を取ってください", "名簿を出してください", "鍵を閉めてください")
LINES = tuple(Line(text, "A") for pair in zip(QUESTIONS, ORDERS, strict=True) for text in pair)
TEXTS = [Labelled(f"t{n}", LINES, ("question", "order") * 4) for n in range(5)]


@pytest.fixture(scope="module")
def made() -> Tagger:
    return train(TEXTS, Recipe(epochs=6, excerpts=1))


def best(tagger: Tagger, *said: str) -> list[str]:
    return [max(tag, key=lambda label: tag[label]) for tag in tagger.tag([Line(text, "B") for text in said])]


def test_it_learns_what_lines_have_in_common(made: Tagger) -> None:
    assert best(made, "会議室はどこですか", "議事録を送ってください") == ["question", "order"]


def test_it_is_the_same_after_keeping_it(made: Tagger, tmp_path: Path) -> None:
    made.save(tmp_path / "t.npz")
    kept = Tagger.load(tmp_path / "t.npz")
    assert kept.labels == made.labels
    assert best(kept, "会議室はどこですか", "議事録を送ってください") == ["question", "order"]


def test_training_again_gives_the_same_weights(made: Tagger) -> None:
    again = train(TEXTS, Recipe(epochs=6, excerpts=1))
    assert np.array_equal(again.first, made.first) and np.array_equal(again.context, made.context)


def test_nothing_gives_nothing(made: Tagger) -> None:
    assert made.tag([]) == []


@given(st.lists(st.builds(Line, st.text(max_size=40), st.sampled_from("AB")), min_size=1, max_size=8))
def test_any_lines_get_features_and_probabilities(lines: list[Line]) -> None:
    assert all(0 <= i < BUCKETS for ids in features(lines) for i in ids)
    found = tags.tag(lines * tags.FEWEST, ["田中"])
    assert len(found) == len(lines) * tags.FEWEST
    for tag in found:
        assert sum(tag.values()) == pytest.approx(1.0, abs=1e-3)


def test_too_few_lines_are_left_to_the_rules() -> None:
    assert tags.tag([Line("三階でいきましょう", "A")], []) == [{}]
    assert tags.possible({}, "decide") and not tags.clear({}, "decide")


def test_names_and_figures_make_no_difference() -> None:
    first, second = ([Line(text, "A")] for text in ("田中さん、三枚送って", "佐藤さん、五枚送って"))
    assert features(first, ["田中"]) == features(second, ["佐藤"])


def test_a_line_knows_its_heading_and_its_form() -> None:
    lines = outlined([Unit("■ 困りごと"), Unit("・在庫が多い"), Unit("金利：1.2%")], lambda text: "needs")
    assert "form mark" in lines[0].hints and {"form bullet", "heading means needs"} <= set(lines[1].hints)
    assert "label 金利" in lines[2].hints


def test_excerpts_are_stretches_of_the_text_and_always_the_same() -> None:
    made, again = (excerpts(TEXTS[0], Recipe(excerpts=5)) for _ in range(2))
    assert made == again and len(made) == 5
    for part in made:
        at = LINES.index(part.lines[0])
        assert part.lines == LINES[at : at + len(part.lines)] and len(part.labels) == len(part.lines)


def test_the_labelled_texts_are_well_formed() -> None:
    found = meetings.load()
    assert [p for meeting in found for p in meetings.problems(meeting)] == []
    assert len(found) > 200 and len(briefs.load()) > 100


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no head", "first line"),
        ("# title: x | date: 2026-01-05 | language: ja | participants: 田中\n田中 | Z | | はい", "bad.txt:2"),
        ("# title: x | date: 2026-01-05 | language: ja | participants: 田中\n= a1 | 田中 | 明日 | 作る", "bad.txt:2"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        meetings.read(path)


def test_a_brief_with_a_bad_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("# language: ja | form: mail\nN 在庫が多い\n")
    with pytest.raises(ValueError, match=r"bad\.txt:2"):
        briefs.read(path)
