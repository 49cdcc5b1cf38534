"""Masking and streams, for any text and any cut: what comes back is what went in, and nothing masked leaks in part."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guardrails.holdback import SEGMENT, CheckedStream, RestoredStream, segments
from gateway.guardrails.masking import LONGEST, WORDS, MaskMap
from gateway.guardrails.policy import TYPES, load_policy
from gateway.guardrails.types import Blocked, Finding, RequestGuard

POLICY = load_policy()
VALUE = "taro@example.co.jp"
TEXTS = st.lists(
    st.one_of(st.text("あ漢ア。\n 0-[]_k3Aa", max_size=40), st.sampled_from([VALUE, "[[EMAIL_1_k3]]"]))
).map("".join)
CUTS = st.lists(st.integers(1, 12), min_size=1, max_size=20)
LOOK_ALIKE = st.sampled_from(
    [
        "[[EMAIL_1_k3]]",
        "［［EMAIL_1_k3］］",
        "[[ email_1_k3 ]]",
        "\\[\\[EMAIL\\_1\\_k3\\]\\]",
        "[[TEXT_9_zz]]",
        "[[PERSON_1_]]",
    ]
)


def pieces(text: str, cuts: Sequence[int]) -> list[str]:
    found, position, turn = [], 0, 0
    while position < len(text):
        size = cuts[turn % len(cuts)]
        found.append(text[position : position + size])
        position, turn = position + size, turn + 1
    return found


def guarding(text: str) -> tuple[RequestGuard, str]:
    """A guard that has masked ``text``, and what it made of it."""
    made = POLICY.request("default")
    forwarded = made.check_request({"model": "m", "messages": [{"role": "user", "content": text}]})
    return made, str(forwarded["messages"][0]["content"])


@given(TEXTS)
def test_segments_are_the_text_and_end_where_a_sentence_may(text: str) -> None:
    parts = segments(text)
    assert "".join(parts) == text
    assert all(part[-1] in "。！？\n" or len(part) >= SEGMENT for part in parts[:-1])


@given(TEXTS, CUTS)
def test_a_checked_stream_gives_the_same_segments_for_any_cut(text: str, cuts: list[int]) -> None:
    seen: list[str] = []

    def check(earlier: str, segment: str) -> str:
        seen.append(segment)
        return segment

    stream = CheckedStream(check)
    sent = "".join(stream.feed(piece) for piece in pieces(text, cuts)) + stream.finish()
    assert sent == text
    assert seen == segments(text)


@given(TEXTS, CUTS)
def test_a_restored_stream_equals_the_whole_text_restored(text: str, cuts: list[int]) -> None:
    masks = MaskMap("k3")
    masks.placeholder("EMAIL", VALUE)
    stream = RestoredStream(masks)
    sent = "".join(stream.feed(piece) for piece in pieces(text, cuts)) + stream.finish()
    assert sent == masks.restore(text)


@given(TEXTS, CUTS)
def test_a_stream_of_the_request_itself_comes_back_as_it_was_asked(text: str, cuts: list[int]) -> None:
    made, hidden = guarding(text)
    stream = made.stream((0, "content"))
    assert "".join(stream.feed(piece) for piece in pieces(hidden, cuts)) + stream.finish() == text


@given(CUTS, st.integers(1, 40))
def test_a_cut_stream_leaves_a_broken_placeholder_masked(cuts: list[int], keep: int) -> None:
    made, hidden = guarding(f"宛先は{VALUE}です。")
    cut = hidden[: min(keep, hidden.index("]]"))]
    stream = made.stream((0, "content"))
    sent = "".join(stream.feed(piece) for piece in pieces(cut, cuts)) + stream.finish(cut=True)
    assert sent == cut
    assert not any(part in sent for part in ("taro", "example"))


@given(CUTS)
def test_no_part_of_a_value_new_in_the_answer_ever_leaves(cuts: list[int]) -> None:
    made, _ = guarding("カード番号を教えて")
    answer = "番号は 4111 1111 1111 1111 です。以上です。"
    stream, sent = made.stream((0, "content")), ""
    for piece in pieces(answer, cuts):
        sent += stream.feed(piece)
        assert "4111" not in sent
    sent += stream.finish()
    assert "1111" not in sent and sent.endswith("以上です。")


@given(CUTS)
def test_a_blocked_stream_sends_nothing_of_it_and_stays_closed(cuts: list[int]) -> None:
    made = POLICY.request("strict")
    made.check_request({"model": "m", "messages": [{"role": "user", "content": "教えて"}]})
    stream, sent = made.stream((0, "content")), ""
    with pytest.raises(Blocked):
        for piece in pieces("お答えします。マイナンバーは123456789018です。続きもあります。", cuts):
            sent += stream.feed(piece)
        sent += stream.finish()
    assert not re.search(r"\d", sent)
    assert stream.feed("もう一度") == "" and stream.finish() == ""


@given(st.lists(st.one_of(LOOK_ALIKE, st.text("あ [x", max_size=6)), max_size=6).map("".join))
def test_look_alikes_of_placeholders_come_back_as_typed(text: str) -> None:
    masks = MaskMap.for_texts([text])
    hidden = masks.mask(text, [], lambda _: False)
    assert masks.restore(hidden) == text


@pytest.mark.parametrize("type_", TYPES)
def test_a_placeholder_is_short_plain_and_told_apart(type_: str) -> None:
    masks = MaskMap("k3")
    first, again, other = (masks.placeholder(type_, value) for value in ("a", "a", "b"))
    assert first == again != other
    assert re.fullmatch(r"\[\[[A-Z_]+_\d+_k3\]\]", first) and len(first) <= 24 < LONGEST
    assert WORDS.get(type_, type_) in first


@given(st.text(max_size=30).filter(str.strip))
def test_values_are_escaped_inside_json(value: str) -> None:
    masks = MaskMap("k3")
    holder = f'{{"to": "{masks.placeholder("PERSON", value)}"}}'
    assert json.loads(masks.restore(holder, in_json=True)) == {"to": value}


def test_overlapping_findings_mask_each_character_once() -> None:
    masks = MaskMap("k3")
    findings = [Finding(0, 4, "PERSON", "a", 0.9, "mask"), Finding(2, 6, "EMAIL", "b", 0.9, "mask")]
    assert masks.mask("abcdefgh", findings, lambda _: False) == "[[PERSON_1_k3]]efgh"
