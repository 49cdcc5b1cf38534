from hypothesis import given
from hypothesis import strategies as st

from apps.common.japanese.normalise import fold, half_width, is_japanese, tidy, to_katakana, without_fillers


def test_half_width_keeps_the_meaning_of_full_width_ascii() -> None:
    assert half_width("Ａ案、１０％〜２０％　（水）") == "A案、10%~20% (水)"


@given(st.text())
def test_half_width_keeps_every_offset(text: str) -> None:
    assert len(half_width(text)) == len(text)


def test_fold_makes_spellings_of_the_same_words_equal() -> None:
    assert fold("Ａ案 で、いく。") == fold("a案でいく") == "a案でいく"
    assert fold("「3,000」円") == fold("３０００円")


@given(st.text())
def test_fold_is_stable(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_tidy_removes_the_spaces_of_speech_recognition_but_not_those_of_english() -> None:
    assert tidy("それ では 次 の 議題 です") == "それでは次の議題です"
    assert tidy(" Project  Alpha の 件 ") == "Project Alpha の件"


def test_fillers_go_wherever_they_can_only_be_fillers() -> None:
    assert without_fillers("えーと、まあ、それでいきましょう") == "それでいきましょう"
    assert without_fillers("あのー資料なんですけど") == "資料なんですけど"
    assert without_fillers("来週のえーっと水曜まで") == "来週の水曜まで"
    assert without_fillers("Um, so I think, uh, we should go") == "so I think, we should go"


def test_words_that_can_be_content_stay_unless_a_comma_isolates_them() -> None:
    assert without_fillers("その資料を、あの、送ってください") == "その資料を、送ってください"
    assert without_fillers("まあまあいいです") == "まあまあいいです"
    assert without_fillers("もう一度お願いします") == "もう一度お願いします"


def test_an_answer_is_never_a_filler() -> None:
    assert without_fillers("はい、承知しました") == "はい、承知しました"
    assert without_fillers("えー、ええ、そうです") == "ええ、そうです"


@given(st.text(alphabet="えーとあのまはいでも、。資料 ", max_size=30))
def test_removing_fillers_twice_changes_nothing_more(text: str) -> None:
    once = without_fillers(text)
    assert without_fillers(once) == once
    assert len(once) <= len(text)


def test_katakana_and_script() -> None:
    assert to_katakana("たなかさん") == "タナカサン"
    assert is_japanese("A案で") and not is_japanese("plan A, 10%")
