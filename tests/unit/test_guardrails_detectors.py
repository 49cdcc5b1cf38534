"""Each family of personal data: found where a person wrote it, and left alone in its look-alikes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guardrails.detectors import checksums
from gateway.guardrails.policy import load_policy

POLICY = load_policy()


def found(text: str) -> set[tuple[str, str]]:
    return {(f.type, text[f.start : f.end]) for f in POLICY.scan(text).findings}


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("山田太郎様から入電", "PERSON", "山田太郎"),
        ("妻のふみ子が伺います", "PERSON", "ふみ子"),
        ("氏名,かな\n堀口 雅人,ほりぐち まさと", "PERSON", "ほりぐち まさと"),
        ("折返しは０９０－１２３４－５６７８へ", "PHONE", "０９０－１２３４－５６７８"),
        ("電話番号は〇三の一二三四の五六七八", "PHONE", "〇三の一二三四の五六七八"),
        ("メールは hanako＠example。jp", "EMAIL", "hanako＠example。jp"),
        ("住所：名古屋市千種区今池5-12-3 メゾール今池502", "ADDRESS", "名古屋市千種区今池5-12-3 メゾール今池502"),
        ("〒330-0854 さいたま市", "POSTAL_CODE", "330-0854"),
        ("生年月日 昭和58年11月2日", "BIRTHDATE", "昭和58年11月2日"),
        ("マイナンバーは1234 5678 9018", "MY_NUMBER", "1234 5678 9018"),
        ("法人番号 7010705000725", "CORPORATE_NUMBER", "7010705000725"),
        ("カード 4111-1111-1111-1111", "CREDIT_CARD", "4111-1111-1111-1111"),
        ("パスポート番号 TZ0917345", "PASSPORT", "TZ0917345"),
        ("運転免許証の番号 305812340980", "DRIVER_LICENSE", "305812340980"),
        ("基礎年金番号 4012-558903", "PENSION_NUMBER", "4012-558903"),
        ("接続元 203.0.113.77 から", "IP_ADDRESS", "203.0.113.77"),
        ("パスワードは「Tanuki#2026」", "SECRET", "Tanuki#2026"),
    ],
)
def test_what_a_person_wrote_is_found_whole(text: str, type_: str, value: str) -> None:
    assert (type_, value) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "受付番号 20261123-0045 の件、至急対応願います",
        "部品番号 AB1234567 を三個発注",
        "請求額 12,345,678円、支払期日 2026年12月28日",
        "製造番号 1234-5678-9012 の保証期限は2年",
        "松本市と岡山市で説明会を開催します",
        "第12条の3第4項に基づき、令和7年4月1日から適用する",
        "バージョン 10.15.7 から 11.2.0 へ更新した",
        "売上高は前年比103.4%、営業利益は45億円",
        "父の代から続く店で、姉のいる町へ",
        "よみ方がわからない漢字です",
        "会場は決まり次第お知らせします。資料300部を用意。",
    ],
)
def test_look_alikes_are_left_alone(text: str) -> None:
    assert found(text) == set()


def test_a_label_makes_up_for_a_wrong_check_digit() -> None:
    assert ("MY_NUMBER", "123456789010") in found("マイナンバー：123456789010")
    assert found("管理番号：123456789010") == set()


@given(st.integers(0, 10**11 - 1))
def test_exactly_one_check_digit_fits_a_my_number(body: int) -> None:
    fitting = [digit for digit in range(10) if checksums.my_number_ok(f"{body:011d}{digit}")]
    assert len(fitting) == 1


@given(st.text(max_size=120))
def test_findings_lie_inside_any_text_and_the_same_text_gives_the_same(text: str) -> None:
    first = POLICY.scan(text)
    assert all(0 <= f.start < f.end <= len(text) and 0 < f.confidence <= 1 for f in first.findings)
    assert load_policy().scan(text).findings == first.findings
