"""How the sale is pushed: hurry, ties to a loan, gifts for signing. Japanese."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.guardrails.wording.context import FINANCE, asked, negated, quoted_or_forbidden, sentences

_PATTERNS = (
    (
        "wording.special_benefit",
        r"(?:ご?契約|お?申し?込み|ご?購入|ご?成約|口座開設)[^。\n]{0,30}?(?:現金|キャッシュバック|商品券|ギフト券|謝礼|手数料(?:の)?(?:一部|全額)?[^。\n]{0,8}(?:お?返し|返金|還元|キックバック)|特別(?:な|の)利益)[^。\n]{0,14}?(?:返|差し上げ|進呈|プレゼント|お渡し|提供|還元|付|いた)",
    ),
    (
        "wording.pressure",
        r"(?:今[^。\n]{0,12}(?:ないと|なければ)|今(?:だけ|しか(?:ない|あり)|すぐ|が(?:最後の)?チャンス|を逃す)|本日(?:中|限り)|このチャンスを逃|乗り遅れ)[^。\n]{0,24}?(?:損|チャンス|後悔|買(?:い|う|わ)|ご?契約|ご?購入|二度と|乗り遅れ)",
    ),
    (
        "wording.tying",
        r"(?:ご?融資|貸出|お?借(?:り)?入(?:れ)?|ローン)(?:の|を)?[^。\n]{0,14}?(?:条件(?:として|に)|代わりに|見返り|引き換え)[^。\n]{0,40}?(?:投資信託|保険|デリバティブ|スワップ|外貨|カード|口座|商品)[^。\n]{0,16}?(?:購入|契約|加入|申し?込|買)"
        r"|(?:投資信託|保険|デリバティブ|スワップ|外貨|商品)[^。\n]{0,20}?(?:しなければ|いただけない(?:場合|なら|と)|ないと)[^。\n]{0,24}?(?:融資|貸出)(?:は|が|を)?[^。\n]{0,10}(?:でき|実行|難し|見送|打ち切|引き上げ)",
    ),
    (
        "wording.guarantee",
        r"元本(?:は|が)[^。\n]{0,10}(?:必ず|全額|確実に)[^。\n]{0,6}(?:戻(?:り|る|って)|返(?:り|る|って|し))",
    ),
)
_RULES = tuple((rule, re.compile(pattern)) for rule, pattern in _PATTERNS)


def find(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, rule) in a text that is width-folded; nothing without a financial subject."""
    if not FINANCE.search(text):
        return
    spans = sentences(text)
    for number, (start, end) in enumerate(spans):
        sentence = text[start:end]
        after = text[end : spans[number + 1][1]] if number + 1 < len(spans) else ""
        for rule, pattern in _RULES:
            match = pattern.search(sentence)
            if match is None or asked(sentence) or negated(sentence, match.end()):
                continue
            if not quoted_or_forbidden(sentence, match.start(), after):
                yield start + match.start(), start + match.end(), rule
