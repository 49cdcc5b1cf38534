"""Regulated wording of financial sales: subject, modality and polarity of each sentence; disclosures of a whole text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType

from gateway.guardrails.view import Hit, View
from gateway.guardrails.wording import english, japanese, sales

_SENTENCE = re.compile(r"[^。！？!?\n]+[。！？!?」』]*|\n")
_ENGLISH_SENTENCE = re.compile(r"(?:[^.!?\n]|\.(?=\S))+[.!?\"”]*")
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_TRIGGER_JA = re.compile(
    r"必ず|完全に|絶対|確実|間違いな|100%|100パー|百パー|疑い|約束|断言|確約|保証|保障|請け合|太鼓判|きっと|誰でも|どなたでも|最終的|永久|将来にわたり|ゼロ|ノーリスク|リスク|損|元本|値下が|安全|安心|補|穴埋め|埋め合わせ|返金|お返し|"
    r"No|ナンバー|1位|一位|日本一|世界一|業界|最高|最強|最良|最も|唯一|随一|トップ|圧倒|究極|無敵|他社|競合|他行|同業|どの|預金|比類|金融庁|国|政府|お墨付き|推奨|今だけ|限定|特別|キャッシュバック|進呈|プレゼント|差し上げ|儲|手数料|現金"
)
_TRIGGER_EN = re.compile(
    r"guarante|certain|sure|definite|absolute|risk|los[es]|safe|promis|compensat|reimburs|refund|cover|best|no\.? ?1|number one|#1|unrival|unbeat|unmatch|only|superior|better|higher|outperform|double|cash ?back|gift|bonus|deposit|approved|endorsed|rich|downside|never",
    re.IGNORECASE,
)
_QUOTE = re.compile(r"[「『“\"][^」』”\"]{2,60}[」』”\"]")
_BAD_EXAMPLE = re.compile(r"\A\s*[(【\[*・-]*\s*(?:NG|×|✕|悪い例|不適切|誤|禁止|bad example|don't)", re.IGNORECASE)

# rule, pattern in the language module, what else the sentence needs, what excuses it
_PROMISES = (
    ("wording.loss_compensation", "LOSS_COMPENSATION", 0.88),
    ("wording.guarantee", "GUARANTEE", 0.86),
    ("wording.no_loss", "NO_LOSS", 0.86),
    ("wording.definitive", "DEFINITIVE", 0.85),
    ("wording.misleading", "MISLEADING", 0.72),
)


def detect(view: View) -> Iterator[Hit]:
    """One finding per sentence, the surest rule that it breaks; and how the sale is pushed, where nothing else speaks."""
    if _JAPANESE.search(view.text):
        found = list(_scan(view.text, japanese, _SENTENCE, _TRIGGER_JA))
        yield from found
        for start, end, rule in sales.find(view.text):
            if all(end <= hit.start or hit.end <= start for hit in found):
                yield Hit(start, end, "REGULATED_WORDING", rule, 0.78)
    elif _TRIGGER_EN.search(view.text):
        yield from _scan(view.text, english, _ENGLISH_SENTENCE, _TRIGGER_EN)


def _scan(text: str, words: ModuleType, sentences: re.Pattern[str], trigger: re.Pattern[str]) -> Iterator[Hit]:
    finance = words.SUBJECT.search(text) is not None
    for match in sentences.finditer(text):
        sentence = match[0]
        if not trigger.search(sentence) or _excused(sentence, words):
            continue
        lead = len(sentence) - len(sentence.lstrip())
        rule, confidence = _broken(sentence, words, finance)
        if rule:
            yield Hit(match.start() + lead, match.end(), "REGULATED_WORDING", rule, confidence)


def _excused(sentence: str, words: ModuleType) -> bool:
    """Forbidden, reported, asked or a bad example: the sentence speaks about such wording."""
    if _BAD_EXAMPLE.search(sentence) or words.FORBIDDEN.search(sentence) or words.REPORTED.search(sentence):
        return True
    return words.ASKED.search(sentence) is not None and words.SOLICITS.search(sentence) is None


def _broken(sentence: str, words: ModuleType, finance: bool) -> tuple[str, float]:
    """The rule that the sentence breaks, or an empty name."""
    if words.SUBJECT.search(sentence) or finance:
        deposit = words.DEPOSIT.search(sentence) is not None and words.INVESTMENT.search(sentence) is None
        for rule, pattern, confidence in _PROMISES:
            found = getattr(words, pattern).search(sentence)
            if found and not deposit and not _denied(sentence, found, words) and words.SUBJECT.search(sentence):
                return rule, confidence
    if words.OFFER.search(sentence) and not words.SOURCED.search(sentence) and not words.AIM.search(sentence):
        if words.SPECIAL_BENEFIT.search(sentence):
            return "wording.special_benefit", 0.72
        if words.SUPERLATIVE.search(sentence):
            return "wording.superlative", 0.74
        if words.COMPARISON.search(sentence):
            return "wording.comparison", 0.74
    return "", 0.0


def _denied(sentence: str, found: re.Match[str], words: ModuleType) -> bool:
    """The promise is taken back in the same breath: within the clause or right behind it."""
    reach = sentence[max(0, found.start() - 12) : found.end() + 40]
    return words.DENIED.search(reach) is not None


_PRODUCT = re.compile(r"投資信託|投信|ファンド|外貨建|外貨預金|仕組債|仕組預金|変額保険|変額年金|債券|社債|外債|REIT|ETF|ラップ口座|ファンドラップ|株式投資|investment trust|mutual fund|structured (?:note|bond)", re.IGNORECASE)
_OFFERED = re.compile(r"ご?提案|おすすめ|お勧め|ご購入|ご検討|販売|募集|申込|お申し?込み|ご案内|recommend|propose|offer|subscribe", re.IGNORECASE)
_RISK = re.compile(r"元本(?:割れ|を割り込|が保証|は保証|保証(?:では|され))|損失(?:が|を)?(?:生じ|被|発生)|(?:価格変動|為替変動|信用|流動性|金利変動|投資)リスク|リスクがあ|lose|loss of principal|risk of loss", re.IGNORECASE)
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
