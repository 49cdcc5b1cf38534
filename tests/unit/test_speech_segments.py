"""Segments: words conserved, times monotone, cut where a reader would cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.minutes.model import Segment, Word
from apps.minutes.speech.listening import Stretch
from apps.minutes.speech.segments import (
    LONGEST,
    Spoken,
    clamp,
    ends_sentence,
    group,
    make_segments,
    readable,
    settle_strays,
)
from apps.minutes.speech.speakers import units

NAMES = [f"話者{n}" for n in range(1, 5)]


def word(text: str, start: float, end: float, probability: float = 0.9) -> Word:
    return Word(start=start, end=end, text=text, probability=probability)


def line(*parts: tuple[str, float, float], speaker: int = 0) -> list[Spoken]:
    return [Spoken(word(*part), speaker) for part in parts]


def texts(spoken: list[Spoken]) -> list[str]:
    return [s.text for s in make_segments(spoken, NAMES, [], "ja")]


@st.composite
def words_in_time(draw: st.DrawFn) -> list[Spoken]:
    """Words as recognition gives them: mostly in order, now and then overlapping."""
    found, time = [], 0.0
    for _ in range(draw(st.integers(0, 40))):
        time += draw(st.floats(-0.2, 2.5))
        length = draw(st.floats(0.0, 1.5))
        text = draw(st.sampled_from(["田中", "です", "。", "はい、", "ます", "金利", "が", " ok", "yes."]))
        found.append(Spoken(word(text, max(0.0, time), max(0.0, time) + length), draw(st.integers(0, 3))))
    return found


@given(words_in_time(), st.lists(st.tuples(st.floats(0, 50), st.floats(0.1, 5)), max_size=6))
def test_starts_never_decrease_and_nothing_overlaps_or_is_lost(
    spoken: list[Spoken], raw: list[tuple[float, float]]
) -> None:
    spans = sorted((start, start + length) for start, length in raw)
    fixed = clamp([s.word for s in spoken], spans)
    again = [Spoken(w, s.speaker) for w, s in zip(fixed, spoken, strict=True)]
    segments = make_segments(again, NAMES, [], "ja")
    assert [s.start for s in segments] == sorted(s.start for s in segments)
    assert all(a.end <= b.start + 1e-9 for a, b in pairwise(segments))
    assert all(s.start < s.end for s in segments)
    letters = "".join(readable(s.word.text, "en") for s in spoken).replace(" ", "")
    assert "".join(s.text for s in segments).replace(" ", "").replace("。", "") == letters.replace("。", "")
    assert [s.id for s in segments] == [f"s{n:04d}" for n in range(1, len(segments) + 1)]


@given(words_in_time())
def test_strays_keep_every_word_in_its_place_in_the_text(spoken: list[Spoken]) -> None:
    fixed = clamp([s.word for s in spoken], [])
    assert [w.text for w in settle_strays(fixed)] == [w.text for w in fixed]


@given(words_in_time())
def test_units_hold_every_word_once(spoken: list[Spoken]) -> None:
    fixed = clamp([s.word for s in spoken], [])
    assert [w for unit in units(fixed) for w in unit] == fixed


def test_a_word_is_not_stretched_into_silence() -> None:
    [first, second] = clamp([word("です。", 1.0, 4.0), word("はい", 4.0, 4.4)], [(0.5, 1.6), (3.9, 4.5)])
    assert first.end == 1.6 and second.start == 4.0


def test_another_speaker_begins_another_segment() -> None:
    assert texts(line(("進めます", 0, 1)) + line(("承知しました", 1.1, 2), speaker=1)) == [
        "進めます。",
        "承知しました。",
    ]


def test_a_pause_ends_a_segment_and_a_breath_does_not() -> None:
    assert texts(line(("今日は", 0, 1), ("移行の件", 1.3, 2), ("ですが", 3.2, 4))) == ["今日は移行の件", "ですが"]


def test_a_long_sentence_ends_with_its_final_form_but_not_before_a_particle() -> None:
    spoken = line(("長い話が続いてここで終わります", 0, 5), ("次の文です", 5.1, 6))
    assert len(texts(spoken)) == 2
    spoken = line(("長い話が続いてここで終わります", 0, 5), ("が", 5.1, 5.2), ("まだ続きます", 5.2, 6))
    assert len(texts(spoken)) == 1


def test_nothing_grows_without_end() -> None:
    spoken = line(*[("あ", n * 0.5, n * 0.5 + 0.5) for n in range(200)])
    assert all(items[-1].word.end - items[0].word.start <= LONGEST + 0.5 for items in group(spoken))


def test_the_beginning_of_a_sentence_moves_behind_the_pause() -> None:
    words = [word("やり", 0, 0.5), word("ます", 0.5, 1.0), word("性", 1.0, 1.2), word("能試験", 1.8, 2.4)]
    settled = settle_strays(words)
    assert settled[2].start == pytest.approx(1.6) and settled[2].end == pytest.approx(1.8)
    kept = [word("やります", 0, 1.0), word("が、", 1.0, 1.2), word("能試験", 1.8, 2.4)]
    assert settle_strays(kept) == kept


def test_low_confidence_is_marked() -> None:
    [segment] = make_segments([Spoken(word("不明", 0, 1, 0.2), 0)], NAMES, [], "ja")
    assert segment.marks == ["suspect"] and segment.confidence == 0.2


def stretch(start: float, end: float) -> Stretch:
    return Stretch(kind="loop", start=start, end=end, text="ああああ", outcome="inaudible")


def test_what_cannot_be_understood_is_shown_and_never_dropped() -> None:
    spoken = line(("始めます", 0, 2))
    inside, apart = (make_segments(spoken, NAMES, [stretch(*at)], "ja") for at in ((1, 1.5), (5, 8)))
    assert inside[0].marks == ["inaudible"] and len(inside) == 1
    assert isinstance(apart[1], Segment) and apart[1].text == "（聞き取り不能）" and apart[1].original == "ああああ"


@pytest.mark.parametrize(
    ("raw", "language", "shown"),
    [
        ("今日 は 晴れ です", "ja", "今日は晴れです。"),
        ("本当 ですか?", "ja", "本当ですか？"),
        ("API の 件, 確認", "ja", "APIの件、確認"),
        (" Good  morning.", "en", "Good morning."),
    ],
)
def test_readable(raw: str, language: str, shown: str) -> None:
    assert readable(raw, language) == shown


def test_sentence_ends() -> None:
    assert all(ends_sentence(t) for t in ("決めました", "行きます。", "Done.", "ください "))
    assert not any(ends_sentence(t) for t in ("決めて", "3.", "資料、"))
