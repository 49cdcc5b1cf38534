"""Keys that programs and templates use (``initial``, ``term_months``) as words for a reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_JAPANESE = {
    "initial": "初期費用",
    "setup": "初期費用",
    "running": "ランニング費用",
    "monthly": "月額",
    "yearly": "年額",
    "annual": "年額",
    "fee": "手数料",
    "pricing": "費用",
    "price": "価格",
    "cost": "費用",
    "budget": "予算",
    "term": "期間",
    "rate": "利率",
    "kickoff": "開始",
    "pilot": "試行",
    "rollout": "展開",
    "golive": "稼働",
    "contract": "契約",
    "decision": "決定",
    "employees": "従業員数",
    "annual sales": "年間売上高",
    "sales": "売上高",
    "evidence": "根拠",
    "source": "出典",
}


def with_words(value: Any, *, top: bool = True) -> Any:
    """A YAML value whose usual English keys below the first level are Japanese words; all else as it is."""
    if isinstance(value, Mapping):
        return {key if top else _word(key): with_words(inner, top=False) for key, inner in value.items()}
    return [with_words(inner, top=False) for inner in value] if isinstance(value, list) else value


def _word(key: Any) -> Any:
    folded = str(key).lower().replace("-", "").replace("_", " ").strip()
    return _JAPANESE.get(folded, key)
