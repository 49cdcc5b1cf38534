"""Regulated wording: claims are found, and negations, questions, warnings and true statements pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guardrails import wording
from gateway.guardrails.view import View
from gateway.guardrails.wording.claims import RULES
from gateway.guardrails.wording.law import BASIS
from kakehashi.paths import CHECKOUT

DATA = Path(__file__).parent.parent / "data" / "guardrails"
DEV = [json.loads(line) for line in (DATA / "wording_dev.jsonl").read_text().splitlines()]


def rules(text: str) -> set[str]:
    return {hit.rule for hit in wording.detect(View.of(text))}


def test_most_claims_of_the_development_set_are_found_and_no_innocent_sentence_is() -> None:
    found = [(case["violation"], bool(rules(case["text"]))) for case in DEV]
    claims = [hit for violation, hit in found if violation]
    assert sum(claims) >= 0.9 * len(claims)
    assert not any(hit for violation, hit in found if not violation)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("この株は必ず上がります。", "wording.definitive"),
        ("外貨建て債券ですが元本は保証されています。", "wording.guarantee"),
        ("損失は当社がすべて補填します。", "wording.loss_compensation"),
        ("年7%の利回りを保証します。", "wording.guarantee"),
        ("この投資信託にリスクはありません。", "wording.no_loss"),
        ("業界最高水準の利回りのファンドです。", "wording.superlative"),
        ("他行の商品より手数料が安く有利です。", "wording.comparison"),
        ("投資信託をご契約いただければ現金一万円を差し上げます。", "wording.special_benefit"),
        ("今買わないと後悔するファンドです。", "wording.pressure"),
        ("融資の条件として保険のご契約をお願いします。", "wording.tying"),
    ],
)
def test_each_rule_names_itself(text: str, rule: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "この株は必ず上がるとは限りません。",
        "この株は必ず上がりますか？",
        "「この株は必ず上がります」といった説明は禁止されています。",
        "元本は保証されていません。",
        "円定期預金は元本が保証されます。",
        "必ず交付書面をお読みください。",
        "業界最高水準の利回り（2026年3月末時点、当社調べ）のファンドです。",
    ],
)
def test_what_turns_a_claim_round_lets_it_pass(text: str) -> None:
    assert rules(text) == set()


def test_full_width_and_spaces_do_not_hide_a_claim() -> None:
    assert rules("年７％の利回りを保証します。") == {"wording.guarantee"}


def test_every_rule_has_a_law_and_a_suggestion() -> None:
    assert all(basis.law and basis.suggestion for basis in BASIS.values())
    assert {rule.name for rule in RULES} <= set(BASIS)


@pytest.mark.parametrize("name", ["wording", "wording_apart"])
def test_claims_in_many_words_are_found_and_innocent_lines_are_not(name: str) -> None:
    lines = (CHECKOUT / "bench" / "guardrails" / "data" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    claims = [bool(rules(line[2:])) for line in lines if line.startswith("+")]
    innocent = [line[2:] for line in lines if line.startswith("-") and rules(line[2:])]
    assert sum(claims) >= 0.8 * len(claims)
    assert len(innocent) <= 0.05 * len(lines), innocent


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("You simply cannot lose with this bond fund.", "wording.no_loss"),
        ("It pays 6% a year, guaranteed.", "wording.guarantee"),
        ("We will refund the difference if your investment falls.", "wording.loss_compensation"),
        ("Nothing beats our funds.", "wording.superlative"),
    ],
)
def test_english_claims_have_the_same_rules(text: str, rule: str) -> None:
    assert rule in rules(text)


def test_the_same_words_without_a_financial_product_are_no_claim() -> None:
    assert rules("絶対に間に合わせますので、納期の変更をお願いします。") == set()
    assert rules("The best time for the meeting is 3 pm.") == set()


@given(st.text())
def test_any_text_can_be_read_and_findings_lie_inside_it(text: str) -> None:
    view = View.of(text)
    for hit in wording.detect(view):
        assert 0 <= hit.start < hit.end <= len(view.text)
        assert hit.rule in BASIS
