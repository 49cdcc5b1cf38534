"""When a suspicious phrase is innocent: negated, asked, quoted as a bad example, or true of deposits."""

from __future__ import annotations

import re

FINANCE = re.compile(
    r"投資|運用|ファンド|信託|債券?|株式?|銘柄|保険|外貨|為替|通貨|ドル|ユーロ|円安|円高|資産|元本|利回り|利益|収益|分配|配当|金利|融資|ローン|預金|FX|NISA|iDeCo"
    r"|デリバティブ|仕組|先物|オプション|スワップ|値上がり|相場|市場|ポートフォリオ|リターン|手数料|ETF|REIT|商品|プラン|損失|暗号資産|年金|証券|口座|基準価額|償還|損(?:を|は|し|得)",
    re.IGNORECASE,
)
DEPOSIT = re.compile(
    r"(?<!外貨)(?<!仕組)(?<!特定)(?:円|普通|定期|当座|決済用|貯蓄|積立|通常)?(?:預金|貯金)|預入|預金保険|ペイオフ|個人向け国債|国が元本"
)
NOT_DEPOSIT = re.compile(r"外貨預金|仕組預金|特定預金|デリバティブ(?:内蔵)?預金")
# what follows the phrase and turns it round
NEGATED = re.compile(
    r"[^。\n]{0,14}?(?:わけでは(?:あり|ござい)?(?:ません|ない)|ものでは(?:あり|ござい)?(?:ません|ない)|とは限り|とは限ら|とは言え|とはいえ|とは言い切れ"
    r"|(?:では|じゃ)(?:あり|ござい)?(?:ません|ない|なく)|(?:するもの|こと)は(?:でき|あり)(?:ません|ない)|できません|出来ません|いたしません|致しません|いたしかね"
    r"|致しかね|しません|しない|されません|されない|されておらず|されていません|しておらず|しておりません|していません|ありません|ございません|おりません"
    r"|ない(?:こと|ため|点|場合|商品|もの)|なく|は不可能|未定)"
)
_META = re.compile(
    r"禁止|禁じ|してはな|てはいけ|てはなら|違反|違法|不適切|不当|NG|避け(?:る|て|ま|ます)|誤解|使わない|使用しない|用いない|言わない|言わず|言い切らない|書かない|控え"
    r"|詐欺|手口|うたう業者|勧誘に(?:注意|ご注意)|ご注意|注意(?:喚起|してくだ|が必要)|規制|該当する|抵触|問題(?:が|と|に)|悪い例|不可|削除|修正|指摘|言われ(?:た|て)|だまさ|騙さ"
)
_QUOTED = re.compile(r"[「『\"“”'][^」』\"“”']*\Z")
_QUESTION = re.compile(
    r"(?:ますか|ですか|でしょうか|のか|ないか|ませんか|か)?[?？]|(?:ます|です|でしょう|ません)か(?:[。」\s]|$)"
)
_SENTENCE = re.compile(r"[^。！？!?\n]*(?:[。！？!?]+[」』）)]?|\n|\Z)")


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of the sentences of a text."""
    return [m.span() for m in _SENTENCE.finditer(text) if m.end() > m.start()]


def asked(sentence: str) -> bool:
    """A question of a customer or in a list of questions states nothing."""
    return bool(_QUESTION.search(sentence))


def quoted_or_forbidden(sentence: str, start: int, following: str = "") -> bool:
    """The phrase is spoken about, not spoken: quoted, or in a sentence that forbids or warns of it."""
    if _META.search(sentence):
        return True
    return bool(_QUOTED.search(sentence[:start])) and bool(_META.search(following))


def negated(sentence: str, end: int) -> bool:
    """What follows the phrase within the sentence denies it."""
    return bool(NEGATED.match(sentence, end))


def about_deposits(sentence: str, before: str = "") -> bool:
    """The statement is about yen deposits or retail government bonds, for which it may be true."""
    near = before + sentence
    return bool(DEPOSIT.search(near)) and not NOT_DEPOSIT.search(near)
