"""Shortcuts of the guardrails find what the long way finds: places to look at, bounds of scores, texts that stay as they are."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest

from gateway.guardrails import shadow
from gateway.guardrails.detectors import address_ja, finance, identity, national, phone
from gateway.guardrails.injection.concepts import MOODS
from gateway.guardrails.injection.scorer import at_most, score, weights
from gateway.guardrails.literals import matches_from
from gateway.guardrails.view import View

_ALPHABET = "0123456789012345678901234567890-- .(+T/市区町村丁目東京都番号AB\n普通口座の"
_NUMBERS = [
    *((getattr(phone, name), 1) for name in ("_MOBILE", "_FREE", "_FIXED", "_AMERICA", "_BRITAIN")),
    *((getattr(phone, name), 0) for name in ("_SPOKEN", "_BARE_11", "_LOCAL")),
    *((getattr(phone, name), 2) for name in ("_JAPAN", "_WORLD")),
    (national._TWELVE, 0), (national._SSN, 0), (national._THIRTEEN, 3),
    (identity._TWELVE, 0), (identity._PENSION, 0), (identity._INSURER, 0), (identity._INSURED, 4),
    (identity._PASSPORT, 4), (identity._PASSPORT_OTHER, 4),
    (finance._KIND_AFTER, 0), (finance._CODES, 0), (finance._YUCHO, 0), (finance._TRANSFER, 0), (finance._CELL, 0),
    (finance._CARD, 0), (finance._CARD_LOOSE, 0),
]  # fmt: skip


def _texts(count: int, length: int) -> list[str]:
    chance = random.Random(11)
    return ["".join(chance.choices(_ALPHABET, k=chance.randrange(1, length))) for _ in range(count)]


@pytest.mark.parametrize(("pattern", "lead"), _NUMBERS, ids=[str(i) for i in range(len(_NUMBERS))])
def test_numbers_are_found_where_a_search_of_the_whole_text_finds_them(pattern: re.Pattern[str], lead: int) -> None:
    for text in _texts(250, 60):
        assert [m.span() for m in View.of(text).numbers(pattern, lead)] == [
            m.span() for m in pattern.finditer(View.of(text).text)
        ]


def test_municipalities_are_found_where_a_search_of_the_whole_text_finds_them() -> None:
    for text in _texts(400, 60):
        found = matches_from(address_ja._CITY_ONLY, text, address_ja._before_municipalities(text))
        assert [m.span() for m in found] == [m.span() for m in address_ja._CITY_ONLY.finditer(text)]


def test_no_moods_raise_a_score_above_its_bound() -> None:
    chance = random.Random(5)
    names = sorted({name for key in weights() for name in key.split("+")} - {"bias"} - MOODS)
    for _ in range(3_000):
        one, other = (frozenset(chance.sample(names, chance.randrange(6))) for _ in range(2))
        some, more = (frozenset(chance.sample(sorted(MOODS), chance.randrange(6))) for _ in range(2))
        assert score([one | some]).value <= at_most(one, MOODS) + 1e-9
        assert score([one | some, other | more]).value <= at_most(one | other, MOODS, apart=True) + 1e-9


def test_characters_taken_for_unchanged_fold_to_themselves() -> None:
    taken = [chr(code) for code in range(0x110000) if shadow._UNCHANGED.match(chr(code))]
    assert len(taken) > 20_000
    assert [char for char in taken if shadow._fold_char(char) != char or unicodedata.combining(char)] == []
