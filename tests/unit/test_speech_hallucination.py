"""Invented text is pointed at, real text is not: loops, speed, holes, known phrases, the glossary read back."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.minutes.model import Word
from apps.minutes.speech import hallucination as h
from apps.minutes.speech.vad import STEP, Probabilities


def words(text: str, start: float = 0.0, per_letter: float = 0.15, probability: float = 0.9) -> list[Word]:
    """One word a letter, evenly spaced."""
    return [
        Word(
            start=round(start + n * per_letter, 3),
            end=round(start + (n + 1) * per_letter, 3),
            text=letter,
            probability=probability,
        )
        for n, letter in enumerate(text)
    ]


def speech(value: float, seconds: float = 60.0) -> Probabilities:
    return np.full(int(seconds / STEP), value, np.float32)


@pytest.mark.parametrize(
    "text",
    [
        "あ、" * 12,
        "次に議題です" * 4,
        "ご視聴ありがとうございました。" * 3,
        "今日は晴れです。" + "yeah " * 10,
    ],
)
def test_a_loop_is_found(text: str) -> None:
    assert h.find_loop(words(text)) is not None


@pytest.mark.parametrize(
    "text",
    [
        "はい、はい、はい。わかりました。",
        "そうそうそう、それです。",
        "一つ目は価格、二つ目は納期、三つ目は品質です。",
        "いえいえ、いえいえ、こちらこそ。",
        "三千三百三十三円です。",
    ],
)
def test_people_may_repeat_themselves(text: str) -> None:
    assert h.find_loop(words(text)) is None
    assert h.compression(text) < h.COMPRESSION_LIMIT


def test_a_loop_says_where_it_is() -> None:
    loop = h.find_loop(words("始めます。" + "議題です" * 6))
    assert loop is not None
    assert (loop.unit, loop.count, loop.first, loop.last) == ("議題です", 6, 5, 28)


@given(st.text(alphabet="かきくけこ", min_size=12, max_size=20), st.integers(3, 8))
def test_long_phrases_said_three_times_or_more_are_always_found(unit: str, count: int) -> None:
    assert h.find_loop(words(unit * count)) is not None


def test_words_faster_than_anybody_speaks_are_found() -> None:
    slow, fast = (
        words("これは普通の速さで話している日本語の文です", per_letter=0.12),
        words("あ" * 5 + "いうえお" * 6, 9, 0.02),
    )
    assert h.too_fast(slow, "ja") is None
    found = h.too_fast([*slow, *fast], "ja")
    assert found is not None and found.start >= 2.0 and found.end <= 9 + 29 * 0.02 + 1e-6


def test_speech_without_words_is_a_hole_even_when_a_word_is_stretched_over_it() -> None:
    stretched = [Word(start=0.0, end=8.0, text="はい", probability=0.9), *words("次です", 8.0)]
    [hole] = h.unheard(stretched, [(0.0, 9.0)])
    assert 0.5 < hole[0] < 2.0 and hole[1] == 8.0


def test_holes_with_a_breath_between_them_are_one() -> None:
    assert h.unheard([], [(0.0, 3.0), (3.3, 6.0), (9.0, 12.0)]) == [(0.0, 6.0), (9.0, 12.0)]


def test_spoken_throughout_leaves_no_hole() -> None:
    assert h.unheard(words("あいうえおかきくけこ" * 3), [(0.0, 4.5)]) == []


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 3)), max_size=8), st.lists(st.floats(0, 50), max_size=20))
def test_holes_lie_in_speech_in_order_and_without_overlap(raw: list[tuple[float, float]], starts: list[float]) -> None:
    edges = sorted({round(a, 2) for a, b in raw} | {round(a + b, 2) for a, b in raw})
    spans = [(a, b) for index, (a, b) in enumerate(pairwise(edges)) if index % 2 == 0]
    found = h.unheard([Word(start=s, end=s + 0.2, text="あ") for s in sorted(starts)], spans)
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    assert all(b - a >= h.UNHEARD_SECONDS - 1e-9 for a, b in found)
    assert all(any(s[0] <= a < s[1] for s in spans) for a, _ in found)


def test_a_known_phrase_needs_two_doubts() -> None:
    said = words("ありがとうございました")
    assert h.is_known_phrase("ありがとうございました。")
    assert not h.is_invented(said, speech(0.9)), "really said"
    assert not h.is_invented(said, speech(0.1)), "voice activity alone can be wrong"
    unsure = words("ご視聴ありがとうございました", probability=0.2)
    assert h.is_invented(unsure, speech(0.1))
    crammed = words("ご視聴ありがとうございました", per_letter=0.01, probability=0.2)
    assert h.is_invented(crammed, speech(0.9))


def test_a_sentence_that_holds_a_phrase_is_no_phrase() -> None:
    assert not h.is_known_phrase("本日はお越しいただきありがとうございました。")
    assert not h.is_known_phrase("、。")
    assert h.is_known_phrase("Thank you for watching!")


def test_the_glossary_read_back_is_an_echo_and_a_sentence_with_terms_is_not() -> None:
    terms = ["稟議書", "事業承継", "信用保証協会", "資金繰り表"]
    assert h.is_echo("稟議書、事業承継、信用保証協会。", terms)
    assert not h.is_echo("事業承継の稟議書は、信用保証協会の審査が終わってから提出することにしましょう。", terms)
    assert not h.is_echo("稟議書、事業承継。", terms)


def test_share_of_speech() -> None:
    probability = np.concatenate([speech(0.0, 1.0), speech(1.0, 1.0)])
    assert h.speech_share((0.0, 0.9), probability) < 0.01
    assert h.speech_share((1.1, 1.9), probability) > 0.99
    assert h.speech_share((100.0, 101.0), probability) == 0.0
