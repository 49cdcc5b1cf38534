"""Second hearings: what comes out wrong is heard again; what stays wrong is marked, never dropped. Whisper is scripted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from apps.minutes.model import Word
from apps.minutes.speech.decode import RATE, PcmFile, Samples
from apps.minutes.speech.listening import Listener, utterances
from apps.minutes.speech.recognise import RECIPES, Heard, Hints, Recipe, Recogniser, prompt
from apps.minutes.speech.vad import STEP, Chunk

CHUNK = Chunk(0, ((0.0, 10.0),))


def spell(text: str, start: float, end: float, probability: float = 0.9) -> list[Word]:
    step = (end - start) / max(1, len(text))
    return [
        Word(start=round(start + n * step, 3), end=round(start + (n + 1) * step, 3), text=c, probability=probability)
        for n, c in enumerate(text)
    ]


class Script:
    """Plays Whisper: ``first`` at the first hearing, then what each recipe is to give."""

    def __init__(
        self, first: Heard, later: dict[str, Heard] | None = None, likely: dict[str, float] | None = None
    ) -> None:
        self.first, self.later, self.likely = first, later or {}, likely or {}
        self.heard: list[str] = []

    def hear(self, chunks: Sequence[Samples], language: str, hints: Hints, recipe: Recipe) -> list[Heard]:
        self.heard.append(recipe.name)
        if recipe.name == "default":
            return [self.first]
        return [self.later.get(recipe.name, Heard([], -10.0, 1.0)) for _ in chunks]

    def likelihood(self, samples: Samples, language: str, texts: Sequence[str]) -> list[float]:
        return [max((score for name, score in self.likely.items() if name in text), default=-50.0) for text in texts]


@pytest.fixture
def pcm(tmp_path: Path) -> PcmFile:
    path = tmp_path / "audio.pcm"
    path.write_bytes(bytes(2 * RATE * 12))
    return PcmFile(path)


def listener(pcm: PcmFile, script: Script, **options: Any) -> Listener:
    spans = options.pop("spans", [(0.0, 10.0)])
    share = options.pop("share", 1.0)
    probability = np.full(int(12 / STEP), share, np.float32)
    hints = options.pop("hints", Hints())
    return Listener(cast(Recogniser, script), pcm, probability, spans, "ja", hints)


def text_of(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words)


SOUND = Heard(spell("それでは会議を始めます。本日の議題は三つあります。よろしくお願いいたします。", 0, 10), -0.2, 0.1)


def test_a_sound_chunk_is_heard_once(pcm: PcmFile) -> None:
    script = Script(SOUND)
    [text] = listener(pcm, script).listen([CHUNK])
    assert script.heard == ["default"] and text_of(text.words) == SOUND.text and text.stretches == []


def test_a_hole_is_filled_without_touching_the_rest(pcm: PcmFile) -> None:
    first = Heard(spell("会議を始めます。", 0, 2), -0.2, 0.1)
    filled = Heard(spell("先月の相談会には三十二社が参加しました。前回より増えています。", 0, 7.5), -0.3, 0.1)
    [text] = listener(pcm, Script(first, {"no_hotwords": filled})).listen([CHUNK])
    assert text_of(text.words) == first.text + filled.text
    assert [(s.kind, s.outcome, s.recipe) for s in text.stretches] == [("unheard", "heard", "no_hotwords")]
    assert [w.start for w in text.words] == sorted(w.start for w in text.words)


def test_a_hole_that_stays_a_hole_is_inaudible(pcm: PcmFile) -> None:
    first = Heard(spell("会議を始めます。", 0, 2), -0.2, 0.1)
    script = Script(first)
    [text] = listener(pcm, script).listen([CHUNK])
    assert script.heard == ["default", *(recipe.name for recipe in RECIPES)], "every recipe was tried"
    assert text_of(text.words) == first.text
    assert [(s.kind, s.outcome) for s in text.stretches] == [("unheard", "inaudible")]


def test_where_voice_activity_is_unsure_silence_is_no_hole(pcm: PcmFile) -> None:
    first = Heard(spell("会議を始めます。", 0, 2), -0.2, 0.1)
    [text] = listener(pcm, Script(first), share=0.4).listen([CHUNK])
    assert text.stretches == []


def test_a_loop_is_heard_again_and_replaced(pcm: PcmFile) -> None:
    looping = Heard(spell("議題について" * 12, 0, 10, 0.4), -0.3, 0.1)
    [text] = listener(pcm, Script(looping, {"no_repeat": SOUND})).listen([CHUNK])
    assert text_of(text.words) == SOUND.text
    assert (text.stretches[0].outcome, text.stretches[0].text) == ("heard", looping.text), "the first text is kept"


def test_a_loop_that_stays_is_cut_to_one_round_and_marked(pcm: PcmFile) -> None:
    looping = Heard(spell("議題について" * 12, 0, 10, 0.4), -0.3, 0.1)
    [text] = listener(pcm, Script(looping)).listen([CHUNK])
    assert text_of(text.words) == "議題について"
    assert (text.stretches[0].outcome, text.stretches[0].text) == ("inaudible", looping.text)


def test_what_is_clearly_said_ten_times_stays(pcm: PcmFile) -> None:
    chant = Heard(spell("えいえいおー" * 6, 0, 10, 0.95), -0.1, 0.1)
    [text] = listener(pcm, Script(chant)).listen([CHUNK])
    assert text_of(text.words) == chant.text and text.stretches[0].outcome == "kept"


def test_text_on_noise_is_inaudible_but_kept_for_the_record(pcm: PcmFile) -> None:
    noise = Heard(spell("ご視聴ありがとうございました", 0, 9, 0.1), -1.8, 0.9)
    [text] = listener(pcm, Script(noise)).listen([CHUNK])
    assert text.words == []
    assert (text.stretches[0].kind, text.stretches[0].outcome, text.stretches[0].text) == (
        "noise",
        "inaudible",
        noise.text,
    )


def test_the_glossary_read_back_is_heard_without_it(pcm: PcmFile) -> None:
    hints = Hints(("稟議書", "事業承継", "保証協会"), ())
    echo = Heard(spell("稟議書、事業承継、保証協会。", 0, 9), -0.3, 0.1)
    [text] = listener(pcm, Script(echo, {"no_hotwords": SOUND}), hints=hints).listen([CHUNK])
    assert text_of(text.words) == SOUND.text


def unheard_name(probability: float) -> Heard:
    before, name = spell("では進める方針とします。それから", 0, 4), spell("佐藤", 4, 4.6, probability)
    return Heard([*before, *name, *spell("さんは来週までに稟議書を提出してください。", 4.6, 9.5)], -0.2, 0.1)


@pytest.mark.parametrize(
    ("probability", "likely", "expected"),
    [
        (0.001, {"佐藤": -40.0, "鈴木": -20.0}, "鈴木"),  # listed, not heard, another fits: corrected
        (0.001, {"佐藤": -20.0, "鈴木": -40.0}, "佐藤"),  # not heard well, but the best of the names
        (0.001, {"佐藤": -20.5, "鈴木": -20.0}, "佐藤"),  # too close to call: as heard
        (0.600, {"佐藤": -40.0, "鈴木": -20.0}, "佐藤"),  # clearly heard: not even tried
    ],
)
def test_names_are_not_swapped(pcm: PcmFile, probability: float, likely: dict[str, float], expected: str) -> None:
    script = Script(unheard_name(probability), likely=likely)
    [text] = listener(pcm, script, hints=Hints((), ("佐藤", "鈴木"))).listen([CHUNK])
    assert f"それから{expected}さんは" in text_of(text.words)
    assert [s.text for s in text.stretches] == (["佐藤"] if expected == "鈴木" else [])


def test_utterances_end_at_sentences_and_pauses() -> None:
    spoken = [*spell("はい。", 0, 0.6), *spell("進めます", 0.7, 1.5), *spell("次に", 2.4, 2.8)]
    assert [text_of(u) for u in utterances(spoken)] == ["はい。", "進めます", "次に"]


@pytest.mark.parametrize(
    ("hints", "language", "expected"),
    [
        (Hints(), "ja", ""),
        (Hints(("稟議書", "与信"), ()), "ja", "今日の会議では、稟議書、与信について話します。"),
        (Hints((), ("佐藤", "林")), "ja", "参加者は、佐藤さん、林さんです。"),
        (Hints(("Kestrel",), ("Maria",)), "en", "This meeting is about Kestrel. The participants are Maria."),
        (Hints(), "en", ""),
    ],
)
def test_the_prompt_is_a_sentence(hints: Hints, language: str, expected: str) -> None:
    assert prompt(hints, language) == expected
