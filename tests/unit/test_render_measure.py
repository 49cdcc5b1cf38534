"""Widths, kinsoku and heights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.proposals.render.fonts import english_name, looks_serif, metrics
from apps.proposals.render.measure import (
    MARGIN,
    NO_END,
    NO_START,
    PITCH,
    Measured,
    Typeface,
    clusters,
    height,
    is_wide,
    wrap,
)
from apps.proposals.render.text import FIGURE, balanced, emphasised, largest, sizes

FACE = Typeface()
MIXED = st.text(alphabet="漢字かなカナー、。「」（）A1 ,.%b-/々っ…万円", min_size=0, max_size=80)


def test_full_width_characters_take_one_em() -> None:
    assert FACE.width("漢字", 20) == pytest.approx(40, abs=0.5)


def test_width_grows_in_step_with_the_size() -> None:
    assert FACE.width("ABC漢字", 24) == pytest.approx(2 * FACE.width("ABC漢字", 12))


def test_bold_text_is_at_least_as_wide() -> None:
    assert FACE.width("Interest 金利", 18, bold=True) >= FACE.width("Interest 金利", 18)


@pytest.mark.parametrize("char", "漢かカ、（１①→○")
def test_japanese_text_is_set_in_the_east_asian_face(char: str) -> None:
    assert is_wide(char)


@pytest.mark.parametrize("char", "A1%-é")
def test_latin_text_is_set_in_the_latin_face(char: str) -> None:
    assert not is_wide(char)


@given(MIXED)
def test_clusters_lose_nothing(text: str) -> None:
    assert "".join(clusters(text)) == text


def ends(pieces: Sequence[str]) -> set[int]:
    """Where pieces end, counted in visible characters."""
    return set(accumulate(len(piece.replace(" ", "")) for piece in pieces))


@given(MIXED, st.integers(60, 400))
def test_lines_end_only_where_a_break_is_allowed(text: str, width: int) -> None:
    pieces = clusters(text)
    assume(max((FACE.width(piece, 14) for piece in pieces), default=0) <= width * MARGIN)
    assert ends(wrap(text, width, 14, FACE)) <= ends(pieces) | {0}


@given(MIXED)
def test_no_piece_begins_or_ends_with_a_forbidden_character(text: str) -> None:
    for before, after in pairwise(clusters(text)):
        if not before.isspace() and not after.isspace():
            assert after[0] not in NO_START
            assert before[-1] not in NO_END


@given(MIXED, st.integers(60, 400), st.integers(10, 24))
def test_every_line_keeps_to_the_width(text: str, width: int, size: int) -> None:
    for line in wrap(text, width, size, FACE):
        assert FACE.width(line, size) <= width * MARGIN + 0.01 or len(line) == 1


@given(MIXED, st.integers(60, 400))
def test_wrapping_keeps_every_visible_character(text: str, width: int) -> None:
    joined = "".join(wrap(text, width, 14, FACE)).replace(" ", "")
    assert joined == text.replace(" ", "").replace("\v", "").replace("\n", "")


@given(MIXED, st.integers(60, 300))
def test_more_width_never_makes_more_lines(text: str, width: int) -> None:
    assert len(wrap(text, width + 80, 14, FACE)) <= len(wrap(text, width, 14, FACE))


def test_latin_words_move_to_the_next_line_whole() -> None:
    lines = wrap("為替予約はForward contractsとも呼びます", 120, 14, FACE)
    assert any(line.startswith("Forward") or "Forward" in line.split() for line in lines)
    assert not any(line.endswith("Forw") for line in lines)


def test_a_word_wider_than_the_line_is_cut() -> None:
    lines = wrap("https://example.com/" + "a" * 80, 100, 12, FACE)
    assert len(lines) > 3
    assert all(FACE.width(line, 12) <= 100 for line in lines)


def test_explicit_breaks_are_kept() -> None:
    assert wrap("一行目\n二行目\v三行目", 500, 14, FACE) == ["一行目", "二行目", "三行目"]


def test_forbidden_sets_do_not_share_characters() -> None:
    assert not (NO_START & NO_END) - set("°")


def test_height_counts_lines_spacing_and_gaps() -> None:
    one = Measured("短い", 20, spacing=1.0)
    assert height([one], 400, FACE) == pytest.approx(20 * PITCH)
    assert height([one, Measured("次", 20, before=6, spacing=1.0)], 400, FACE) == pytest.approx(40 * PITCH + 6)


def test_space_before_the_first_paragraph_is_not_counted() -> None:
    assert height([Measured("短い", 20, before=50)], 400, FACE) == pytest.approx(20 * PITCH)


@pytest.mark.parametrize(
    ("written", "english"),
    [("游ゴシック", "Yu Gothic"), ("ＭＳ Ｐゴシック", "MS PGothic"), ("メイリオ", "Meiryo"), ("Arial", "Arial")],
)
def test_japanese_face_names_are_understood(written: str, english: str) -> None:
    assert english_name(written) == english


def test_a_missing_face_is_measured_with_a_stand_in() -> None:
    found = metrics("No Such Face", wide=True)
    assert found.advance("漢") == pytest.approx(1.0, abs=0.1)


def test_serif_faces_are_told_from_sans() -> None:
    assert looks_serif("Times New Roman")
    assert looks_serif("游明朝")
    assert not looks_serif("BIZ UDPGothic")


def test_sizes_run_from_large_to_small_with_both_ends() -> None:
    assert sizes(14, 12) == [14, 13, 12]
    assert sizes(10.5, 9) == [10.5, 9.5, 9]
    assert sizes(12, 12) == [12]


def test_the_largest_good_size_is_taken() -> None:
    assert largest(sizes(20, 10), lambda size: size <= 13) == 13
    assert largest(sizes(20, 10), lambda size: False) is None


TITLE = "設備資金の長期固定化と為替予約の組み合わせで、年間の資金コストを1,240万円下げられます"


def test_titles_break_between_phrases_into_lines_of_similar_length() -> None:
    first, second = balanced(TITLE, 700, 24, FACE, bold=True, language="ja").split("\v")
    assert first + second == TITLE
    assert first.endswith("、")
    assert 0.5 < len(first) / len(second) < 2


def test_a_title_of_one_line_and_an_english_title_stay_as_they_are() -> None:
    assert balanced("短い題", 700, 24, FACE, bold=True, language="ja") == "短い題"
    english = "A long English title that takes more than one line on the slide for certain"
    assert balanced(english, 300, 24, FACE, bold=True, language="en") == english


@given(st.text(alphabet="資金繰りの改善、為替1億円を/とABC", min_size=1, max_size=90), st.integers(200, 600))
def test_phrase_breaks_never_add_a_line(text: str, width: int) -> None:
    broken = balanced(text, width, 20, FACE, bold=True, language="ja")
    assert broken.replace("\v", "") == text
    assert len(wrap(broken, width, 20, FACE, bold=True)) <= max(len(wrap(text, width, 20, FACE, bold=True)), 1)


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("年1,240万円の削減", ["1,240万円"]),
        ("金利が1%上がると年1,020万円", ["1%", "1,020万円"]),
        ("10年固定", ["10年"]),
        ("2026年9月末の水準", []),
        ("1年目から", []),
        ("saves JPY 7.6 million a year", ["JPY 7.6 million"]),
        ("40 hours", []),
    ],
)
def test_figures_with_units_are_emphasised_and_dates_are_not(text: str, figures: list[str]) -> None:
    assert [match.group() for match in FIGURE.finditer(text)] == figures


@given(MIXED)
def test_emphasis_never_changes_the_text(text: str) -> None:
    from apps.proposals.render.color import Color

    assert "".join(span.text for span in emphasised(text, Color("accent1"))) == text
