"""Voices are grouped by likeness: as many groups as voices, short stretches follow long ones, order by appearance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.minutes.speech.cluster import LIMIT, Labels, by_appearance, cluster
from apps.minutes.speech.encoder import Vectors


def voices(speakers: list[int], spread: float, seed: int = 1) -> Vectors:
    """Vectors of stretches spoken by the given speakers; ``spread`` is how much one voice varies."""
    random = np.random.default_rng(seed)
    centres = np.abs(random.normal(size=(max(speakers, default=0) + 1, 256))) + 0.1
    rows = centres[speakers] + spread * random.normal(size=(len(speakers), 256))
    unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def group(speakers: list[int], spread: float = 0.15, count: int | None = None, seconds: float = 3.0) -> Labels:
    return cluster(voices(speakers, spread), np.full(len(speakers), seconds), count)


@pytest.mark.parametrize("count", [None, 3])
def test_each_voice_is_one_group(count: int | None) -> None:
    speakers = [0, 1, 0, 2, 2, 1, 0, 0, 2, 1]
    assert group(speakers, count=count).tolist() == by_appearance(np.array(speakers)).tolist()


def test_one_voice_is_one_group_even_when_more_are_expected() -> None:
    assert set(group([0] * 8, spread=0.05, count=3).tolist()) == {0}


@pytest.mark.parametrize("silent", [1, 2, 5])
def test_participants_who_never_speak_do_not_split_a_voice(silent: int) -> None:
    speakers = [0, 1, 2] * 8
    assert group(speakers, spread=0.35, count=3 + silent).tolist() == speakers


def test_two_voices_that_lie_near_stay_apart_when_each_is_steady() -> None:
    """A fixed distance would take them for one: what counts is how much each of them varies."""
    random = np.random.default_rng(3)
    first = np.abs(random.normal(size=256)) + 0.1
    second = first + 0.45 * random.normal(size=256)
    rows = np.stack([first, second] * 8) + 0.2 * random.normal(size=(16, 256))
    vectors: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    assert 1 - float(vectors[0] @ vectors[1]) < 0.17
    assert cluster(vectors, np.full(16, 3.0), 4).tolist() == [0, 1] * 8


def test_short_stretches_join_the_voice_they_are_nearest_to() -> None:
    vectors = np.concatenate([voices([0, 1, 0, 1], 0.1), voices([0, 1], 0.45)])
    labels = cluster(vectors, np.array([4.0, 4, 4, 4, 0.4, 0.4]))
    assert labels.tolist() == [0, 1, 0, 1, 0, 1]


def test_a_cough_is_no_speaker() -> None:
    vectors = voices([0, 1] * 30 + [2], 0.1)
    labels = cluster(vectors, np.array([5.0] * 60 + [1.6]))
    assert set(labels.tolist()) == {0, 1}


def test_hours_of_speech_are_thinned_out_before_comparing() -> None:
    speakers = [n % 4 for n in range(LIMIT * 2)]
    assert cluster(voices(speakers, 0.1), np.full(len(speakers), 2.0), 4).tolist() == speakers


def test_nothing_gives_nothing() -> None:
    assert cluster(np.zeros((0, 256), np.float32), np.zeros(0)).tolist() == []


@given(st.lists(st.integers(-5, 5), max_size=40))
def test_numbers_follow_appearance_and_keep_the_groups(labels: list[int]) -> None:
    found = by_appearance(np.array(labels, np.int64)).tolist()
    assert list(dict.fromkeys(found)) == list(range(len(set(labels))))
    assert [[a == b for b in found] for a in found] == [[a == b for b in labels] for a in labels]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 4))
def test_there_are_never_more_groups_than_expected_speakers(speakers: list[int], count: int) -> None:
    assert len(set(group(speakers, spread=0.5, count=count).tolist())) <= count
