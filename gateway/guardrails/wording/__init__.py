"""Regulated wording of financial sales: the claims of each sentence, unless taken back; disclosures of a whole text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from types import ModuleType

from gateway.guardrails.lexicon import Mention
from gateway.guardrails.view import Hit, View
from gateway.guardrails.wording import english, japanese
from gateway.guardrails.wording.claims import Claim, claims, mentions

_SENTENCE = re.compile(r"[^。！？!?\n]+[。！？!?」』]*|\n")
_ENGLISH_SENTENCE = re.compile(r"(?:[^.!?\n]|\.(?=\S))+[.!?\"”]*")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_BAD_EXAMPLE = re.compile(r"\A\s*[(【\[*・-]*\s*(?:NG|×|✕|悪い例|不適切|誤|禁止|bad example|don't)", re.IGNORECASE)
_UNSOURCED = frozenset({"wording.superlative", "wording.comparison", "wording.special_benefit", "wording.misleading"})
_PROMISES = frozenset(
    {"wording.guarantee", "wording.no_loss", "wording.definitive", "wording.misleading"}
)  # may be true of deposits


def detect(view: View) -> Iterator[Hit]:
    """One finding per sentence: the gravest claim that it makes and means."""
    found = mentions(view.text)
    if not found:
        return
    japanese_text = _JAPANESE.search(view.text) is not None
    words, sentences = (japanese, _SENTENCE) if japanese_text else (english, _ENGLISH_SENTENCE)
    finance = (words.SUBJECT.search(view.text) or words.OFFER.search(view.text)) is not None
    begins = [mention.start for mention in found]
    for match in sentences.finditer(view.text) if finance else ():
        inside = found[bisect_left(begins, match.start()) : bisect_left(begins, match.end())]
        if inside and not _excused(match[0], words):
            yield from _meant(view.text, match.span(), inside, words)


def _meant(text: str, span: tuple[int, int], inside: list[Mention], words: ModuleType) -> Iterator[Hit]:
    """The first claim of the sentence that nothing takes back."""
    start, end = span
    sentence = text[start:end]
    lead = len(sentence) - len(sentence.lstrip())
    for claim in claims(inside):
        if not _taken_back(text, span, claim, words):
            yield Hit(start + lead, end, "REGULATED_WORDING", claim.rule.name, claim.rule.confidence)
            return


def _taken_back(text: str, span: tuple[int, int], claim: Claim, words: ModuleType) -> bool:
    """Denied within the clause or right behind it, sourced, only aimed at, or true of deposits."""
    sentence = text[span[0] : span[1]]
    subject = words.OFFER if claim.rule.name in _UNSOURCED - _PROMISES else words.SUBJECT
    near = text[max(0, span[0] - 80) : span[1] + 40]
    if not (subject.search(sentence) or words.OFFER.search(near)):
        return True
    reach = text[max(span[0], claim.start - 12) : min(span[1], claim.end + 40)]
    if words.DENIED.search(reach) or words.AIM.search(reach):
        return True
    if claim.rule.name in _UNSOURCED and words.SOURCED.search(sentence):
        return True
    deposit = words.DEPOSIT.search(sentence) is not None and words.INVESTMENT.search(sentence) is None
    return deposit and claim.rule.name in _PROMISES


def _excused(sentence: str, words: ModuleType) -> bool:
    """Forbidden, reported, asked or a bad example: the sentence speaks about such wording."""
    if _BAD_EXAMPLE.search(sentence) or words.FORBIDDEN.search(sentence) or words.REPORTED.search(sentence):
        return True
    return words.ASKED.search(sentence) is not None and words.SOLICITS.search(sentence) is None


_PRODUCT = re.compile(
    r"投資信託|投信|ファンド|外貨建|外貨預金|仕組債|仕組預金|変額保険|変額年金|債券|社債|外債|REIT|ETF|ラップ口座|ファンドラップ|株式投資|investment trust|mutual fund|structured (?:note|bond)",
    re.IGNORECASE,
)
_OFFERED = re.compile(
    r"ご?提案|おすすめ|お勧め|ご購入|ご検討|販売|募集|申込|お申し?込み|ご案内|recommend|propose|offer|subscribe",
    re.IGNORECASE,
)
_RISK = re.compile(
    r"元本(?:割れ|を割り込|が保証|は保証|保証(?:では|され))|損失(?:が|を)?(?:生じ|被|発生)|(?:価格変動|為替変動|信用|流動性|金利変動|投資)リスク|リスクがあ|lose|loss of principal|risk of loss",
    re.IGNORECASE,
)
_FEE = re.compile(r"手数料|信託報酬|費用|コスト|諸経費|fees?|charges?|expense", re.IGNORECASE)
WHOLE_TEXT = 400  # characters from which a text counts as a whole document


def disclosures(view: View) -> Iterator[Hit]:
    """A customer-facing text that offers an investment product without speaking of risk or of fees."""
    product = _PRODUCT.search(view.text)
    if product is None or len(view.text) < WHOLE_TEXT or not _OFFERED.search(view.text):
        return
    if not _RISK.search(view.text):
        yield Hit(*product.span(), "REGULATED_WORDING", "wording.missing_risk", 0.8)
    if not _FEE.search(view.text):
        yield Hit(*product.span(), "REGULATED_WORDING", "wording.missing_fee", 0.8)
