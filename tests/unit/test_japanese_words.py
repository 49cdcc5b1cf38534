from hypothesis import given
from hypothesis import strategies as st

from apps.common.japanese.words import alike, content_words, edit_distance, reading, words


def test_words_know_their_place_and_dictionary_form() -> None:
    text = "資料を送っておきます"
    found = words(text)
    assert "".join(w.text for w in found) == text
    assert all(text[w.start : w.end] == w.text for w in found)
    assert "送る" in {w.base for w in found}


def test_names_recognised_by_sound_are_alike() -> None:
    assert alike("佐久間", "作間") == 1.0
    assert alike("渡辺", "渡邊") == 1.0
    assert alike("田中", "佐久間") < 0.5


def test_readings_are_katakana() -> None:
    assert reading("田中さん") == "タナカサン"


def test_content_words_leave_particles_and_auxiliaries_out() -> None:
    assert content_words("稟議書を作成してください") >= {"稟議", "作成"}
    assert not content_words("稟議書を作成してください") & {"を", "て", "くださる", "する"}


@given(st.text(max_size=12), st.text(max_size=12))
def test_edit_distance_is_a_distance(left: str, right: str) -> None:
    assert edit_distance(left, right) == edit_distance(right, left)
    assert (edit_distance(left, right) == 0) == (left == right)
    assert abs(len(left) - len(right)) <= edit_distance(left, right) <= max(len(left), len(right))


def test_nothing_is_not_alike() -> None:
    assert alike("", "田中") == 0.0


def test_a_text_of_any_length_is_read_with_right_offsets() -> None:
    text = "資料を送ります。" * 4_000
    found = words(text)
    assert "".join(w.text for w in found) == text
    assert text[found[-1].start : found[-1].end] == found[-1].text
