"""Bank accounts (Japanese, ゆうちょ, IBAN, English wording) and payment cards."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.detectors.checksums import iban_ok, luhn_ok
from gateway.guardrails.detectors.shapes import LEFT, RIGHT, SEP, Label, digits, is_amount, other_label, pattern_of
from gateway.guardrails.literals import Prefilter
from gateway.guardrails.view import Hit, View

_KIND = r"(?:普通|当座|貯蓄|総合|納税準備|外貨普通|\((?:普|当|貯)\)|[(（]?(?<![一-龠])(?:普|当)(?![一-龠])[)）]?)(?:預金)?(?:口座)?"
_ACCOUNT = re.compile(
    rf"(?:{_KIND}|口座(?:番号|No\.?|№|ナンバー)?|account\s?(?:number|no\.?|#|num)|acct\.?(?:\s?(?:no|number|#))?|a/c(?:\s?(?:no|number|#))?|"
    r"account_number|account)"
    rf"(?P<gap>(?:(?![。\d]).){{0,10}}?)(?P<value>{pattern_of(7)}|\d{{6,8}}){RIGHT}",
    re.IGNORECASE | re.DOTALL,
)
_ACCOUNT_EN = re.compile(
    r"(?:account|acct|a/c|checking|savings|iban|beneficiary)(?:\s(?:account|acct))?\.?\s?(?:number|no\.?|num|#)?[\s:#]{0,3}(?:is\s)?(?P<value>\d(?:[ -]?\n?\d){5,16})"
    + RIGHT,
    re.IGNORECASE,
)
_CODES = re.compile(rf"{LEFT}\d{{4}}[- ]\n?\d{{3}}[- ]\n?(?:[12][- ])?\d{{7}}{RIGHT}")
_BRANCH = re.compile(rf"(?:支店|本店|営業部|出張所|本所|支所|店番\d{{3}})[^\d。\n]{{0,10}}(?P<value>{pattern_of(7)}){RIGHT}")
_KIND_AFTER = re.compile(rf"{LEFT}(?P<value>{pattern_of(7)})[ (]{{1,2}}(?:普通|当座|貯蓄)")
_BANK_CUE = Label(
    r"銀行|りそな|みずほ|三井住友|三菱UFJ|支店|信用金庫|信金|信組|農協|JA|労金|ゆうちょ|口座|振込|振り込|引き?落|預金|通帳|名義|bank|wire|account|transfer|入金|送金|送金先|払込|店番"
)
_NOT_ACCOUNT = re.compile(r"金額|数|残高|利率|年利|限度|稟議|電話|TEL|FAX|金利|コード|管理|円", re.IGNORECASE)
_PLAIN_KIND = re.compile(r"\A(?:普|当|総合|貯蓄|account)", re.IGNORECASE)

_YUCHO = re.compile(
    rf"{LEFT}(?P<symbol>[01]\d{{3}}0)(?P<middle>[\s,、・/」-]{{0,3}}(?:\d[\s-]{{1,3}})?(?:(?:番号|番|No\.?)(?:[\s:はが「=]|で){{0,4}})?|[\s-]{{1,3}})"
    rf"(?P<number>\d{{2,8}}){RIGHT}"
)
_YUCHO_LABEL = re.compile(r"記号(?:番号)?(?:[\s:はが「=・/]|番号){0,6}\Z")
_YUCHO_CUE = Label(r"ゆうちょ|貯金|郵便局|郵貯|通帳|振替口座|振込|口座")
_TRANSFER = re.compile(rf"{LEFT}0\d{{4}}-\d-\d{{1,6}}{RIGHT}")
# Which of these can match at all: 0, 1, 2.
_WORDS = Prefilter([_ACCOUNT.pattern, _ACCOUNT_EN.pattern, _BRANCH.pattern], re.IGNORECASE | re.DOTALL)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \n-]?[A-Z0-9]{4}){2,7}(?:[ \n-]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")

_CARD = re.compile(
    rf"(?<![\dA-Za-z])(?<!\d[-.])(?:\d{{4}}{SEP}\d{{4}}{SEP}\d{{4}}{SEP}\d{{4}}(?:{SEP}\d{{3}})?|\d{{4}}{SEP}\d{{6}}{SEP}\d{{4,5}}|\d{{13,19}})"
    r"(?!\d)(?![-.]\d)(?!-?[A-Za-z])"
)
_CARD_LOOSE = re.compile(rf"{LEFT}\d(?:{SEP}\d){{12,18}}{RIGHT}")
_CARD_LABEL = Label(
    r"カード(?:の?番号|No\.?|№)?|クレジット|クレカ|デビット|card(?:\s?(?:number|no\.?|#))?|VISA|ビザ|master\s?card|マスター|JCB|AMEX|アメックス|"
    r"american\sexpress|diners|ダイナース|PAN|credit|debit",
    gap=14,
)
_NOT_CARD = re.compile(r"(?:ポイント|会員|診察|図書|社員|名刺|SIM|メモリ|通知|番号|管理|在留)カード", re.IGNORECASE)
_ISSUER = re.compile(r"4|5[1-5]|2(?:2[2-9]|[3-6]|7[01]|720)|3[47]|3(?:0[0-5]|[689])|35|6(?:011|4[4-9]|5|2)")


def bank_account(view: View) -> Iterator[Hit]:
    """Seven digits after 普通/当座/口座番号 near a bank; branch and bank codes; 記号番号; IBAN; English accounts."""
    if not view.has_long_number:
        return
    words = _WORDS.those(view.text)
    yield from _domestic(view, words)
    yield from _postal_savings(view)
    for match in _IBAN.finditer(view.text):
        if iban_ok(re.sub(r"[\s-]", "", match[0])):
            yield Hit(*match.span(), "BANK_ACCOUNT", "bank_account.iban", 0.95)
    for match in _ACCOUNT_EN.finditer(view.text) if 1 in words else ():
        if not is_amount(view, *match.span("value")):
            yield Hit(*match.span("value"), "BANK_ACCOUNT", "bank_account.english", 0.85)


def _domestic(view: View, words: set[int]) -> Iterator[Hit]:
    for match in _ACCOUNT.finditer(view.text) if 0 in words else ():
        start, end = match.span("value")
        if is_amount(view, start, end) or _NOT_ACCOUNT.search(match["gap"]):
            continue
        if _PLAIN_KIND.match(match[0]) and not (_BANK_CUE.within(match[0]) or _BANK_CUE.near(view, match.start(), end)):
            continue
        yield Hit(start, end, "BANK_ACCOUNT", "bank_account.label", 0.92)
    for match in view.numbers(_KIND_AFTER):
        if _BANK_CUE.near(view, *match.span()) and not other_label(view, match.start()):
            yield Hit(*match.span("value"), "BANK_ACCOUNT", "bank_account.kind_after", 0.8)
    for match in _BRANCH.finditer(view.text) if 2 in words else ():
        if not is_amount(view, *match.span("value")) and not other_label(view, match.start("value")):
            yield Hit(*match.span("value"), "BANK_ACCOUNT", "bank_account.branch", 0.75)
    for match in view.numbers(_CODES):
        if _BANK_CUE.near(view, *match.span()):
            yield Hit(*match.span(), "BANK_ACCOUNT", "bank_account.codes", 0.85)
    for head_start, head_end in _cells(view):
        yield Hit(head_start, head_end, "BANK_ACCOUNT", "bank_account.column", 0.9)


_CELL = re.compile(r"(?<!\d)\d{6,8}(?!\d)")
_CELL_HEAD = re.compile(r"\A(?:口座|口座番号|口座No\.?|account(?:[\s_](?:number|no))?)\Z", re.IGNORECASE)


def _cells(view: View) -> Iterator[tuple[int, int]]:
    for match in view.numbers(_CELL) if view.has_cells else ():
        if _CELL_HEAD.match(view.heading(match.start())):
            yield match.span()


def _postal_savings(view: View) -> Iterator[Hit]:
    for match in view.numbers(_YUCHO):
        start, end = match.span()
        labelled = _YUCHO_LABEL.search(view.left(start)) is not None
        if _YUCHO_CUE.near(view, start, end) and (labelled or match["middle"].strip()):
            if labelled or not other_label(view, start):
                yield Hit(start, end, "BANK_ACCOUNT", "bank_account.yucho", 0.9)
    for match in view.numbers(_TRANSFER):
        if _YUCHO_CUE.near(view, *match.span()):
            yield Hit(*match.span(), "BANK_ACCOUNT", "bank_account.transfer", 0.85)


def credit_card(view: View) -> Iterator[Hit]:
    """A Luhn-valid number of a known issuer in card grouping; after a label any 13–19 digits."""
    if not view.has_long_number:
        return
    for pattern in (_CARD, _CARD_LOOSE):
        for match in view.numbers(pattern):
            confidence, rule = _judge_card(view, match)
            if confidence:
                yield Hit(*match.span(), "CREDIT_CARD", rule, confidence)


def _judge_card(view: View, match: re.Match[str]) -> tuple[float, str]:
    start, end = match.span()
    number = digits(match[0])
    good = luhn_ok(number) and _ISSUER.match(number) is not None and len(set(number)) > 1
    labelled = _CARD_LABEL.announces(view, start, end) and not _NOT_CARD.search(view.left(start))
    if labelled:
        return (0.98, "credit_card.label") if good else (0.88 if len(number) >= 14 else 0.0, "credit_card.label_bad_digit")
    if not good or other_label(view, start) or is_amount(view, start, end):
        return 0.0, ""
    grouped = match[0] != number
    if grouped and len(number) in (14, 15, 16):
        return 0.85, "credit_card.grouped"
    if len(number) in (15, 16):
        return 0.75, "credit_card.bare"
    return (0.7, "credit_card.cue") if _CARD_LABEL.near(view, start, end) else (0.0, "")
