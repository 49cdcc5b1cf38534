"""Glossary terms written by sound are put right; words that may have been meant stay; what was heard is kept."""

import pytest

from apps.minutes.text.terms import MARK, with_terms
from tests.helpers.talks import transcript

TERMS = ["勘定系", "移行リハーサル", "歩留まり", "機械", "為替", "稟議書"]


def heard(text: str, terms: list[str] = TERMS) -> str:
    return with_terms(transcript(f"話者1: {text}"), terms).segments[0].text


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("感情系とのデータの照合です。", "勘定系とのデータの照合です。"),
        ("一回目の行こうリハーサルを行いました。", "一回目の移行リハーサルを行いました。"),
        ("ぶどまりが良くなりました。", "歩留まりが良くなりました。"),
    ],
)
def test_the_same_sound_becomes_the_term(text: str, right: str) -> None:
    assert heard(text) == right


@pytest.mark.parametrize(
    "text",
    ["よい機会です。", "書類をかわせました。", "勘定系の話です。", "やさしい説明でした。", "会場を移りましょう。"],
)
def test_words_of_the_dictionary_and_short_sounds_stay(text: str) -> None:
    assert heard(text) == text


def test_what_was_heard_stays_beside_it_and_is_marked() -> None:
    segment = with_terms(transcript("話者1: 感情系の更改です。"), TERMS).segments[0]
    assert (segment.original, segment.marks) == ("感情系の更改です。", [MARK])


def test_without_a_glossary_nothing_changes() -> None:
    source = transcript("話者1: 感情系の更改です。")
    assert with_terms(source, []) == source
