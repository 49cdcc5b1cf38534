"""A brief as YAML: keys in Japanese or English, values as scalar, list or mapping in any depth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from apps.proposals.brief.fields import LISTS, SCALARS, concept_of
from apps.proposals.brief.items import Collected
from apps.proposals.brief.numbers import read_numbers
from apps.proposals.brief.splitting import named, pieces, sentences, split_list, with_label
from apps.proposals.evidence.labels import split_role

_NAME_KEYS = re.compile(
    r"^(?:name|名称|名前|社名|会社名|企業名|法人名|顧客名|title|product|商品名?|サービス名?|item|項目|内容|label|phase|フェーズ|step|"
    r"milestone|risk|リスク|text|need|issue|problem|pain|課題|what|目標)$",
    re.IGNORECASE,
)
_WRAPPERS = re.compile(r"^(?:brief|proposal|deck|ブリーフ|提案書?|提案ブリーフ)$", re.IGNORECASE)


def collect_yaml(data: Mapping[Any, Any]) -> Collected:
    """Everything in a YAML mapping, by field. Unknown keys are kept as free text and named in ``unknown``."""
    inner = next(iter(data.values())) if len(data) == 1 else None
    if isinstance(inner, Mapping) and _WRAPPERS.match(str(next(iter(data)))):
        data = inner
    found = Collected()
    has_client = any(concept_of(str(key)) == "client" for key in data)
    for key, value in data.items():
        field = concept_of(str(key)) or ("audience" if has_client and str(key).strip() in _OPPOSITE else None)
        if field == "company" and not has_client:
            field = "client"
        if value is not None and value != "":
            _put(found, field, str(key), value, str(key))
    return found


def _put(found: Collected, field: str | None, key: str, value: Any, locator: str) -> None:
    if field is None:
        found.unknown.append((key, locator))
        _keep(found, key, value, locator)
    elif field == "numbers":
        numbers, empty = read_numbers(value, locator)
        found.numbers.extend(numbers)
        found.empty_numbers.extend(empty)
        if isinstance(value, bool) or (not numbers and not isinstance(value, list | Mapping)):
            found.wrong.append((field, value, locator))
    elif field == "client" and isinstance(value, Mapping):
        _client(found, value, locator)
    elif field in SCALARS or field in ("slide_count", "customer_class"):
        _scalar(found, field, value, locator)
    elif field in LISTS:
        _list(found, field, value, locator)
    elif isinstance(value, Mapping):
        _parts(found, value, locator)
    else:
        for text, where in flatten(value, locator):
            for sentence in sentences(text):
                found.add("context", sentence, where)


_OPPOSITE = ("相手", "お相手", "面談者", "面談相手", "who")  # where the client has a key of its own, its people


def _parts(found: Collected, value: Mapping[Any, Any], locator: str) -> None:
    """``profile: {industry: …, employees: 310}``: known fields to their place, the rest as background."""
    for key, inner in value.items():
        field, where = concept_of(str(key)), f"{locator}.{key}"
        if field in SCALARS and field not in ("client", "company", "title") and isinstance(inner, str):
            _scalar(found, field, inner, where)
        else:
            numbers, _ = read_numbers({key: inner}, locator)
            found.numbers.extend(numbers)
            for text, place in flatten({key: inner}, locator):
                found.add("facts" if numbers else "context", text, place)


def _client(found: Collected, value: Mapping[Any, Any], locator: str) -> None:
    """``client: {name: …, industry: …, employees: 120}``: the name, known fields, and the rest as facts."""
    for key, inner in value.items():
        where = f"{locator}.{key}"
        field = concept_of(str(key))
        if _NAME_KEYS.match(str(key)) or field == "client":
            _scalar(found, "client", inner, where)
        elif field and field != "company":
            _put(found, field, str(key), inner, where)
        else:
            _keep(found, str(key), inner, where)


def _keep(found: Collected, key: str, value: Any, locator: str) -> None:
    """An unknown key: its figures go to the numbers, its text stays available as context."""
    numbers, _ = read_numbers({key: value}, locator.rpartition(".")[0] or locator)
    found.numbers.extend(numbers)
    for text, where in flatten(value, locator):
        found.add("other", text, where, key)


def _scalar(found: Collected, field: str, value: Any, locator: str) -> None:
    if isinstance(value, date | datetime):
        found.add(field, value.isoformat()[:10], locator)
    elif (
        isinstance(value, list)
        and value
        and all(isinstance(v, str) for v in value)
        and field in ("audience", "tone", "author")
    ):
        found.add(field, "、".join(value), locator)
    elif isinstance(value, bool) and field == "customer_class":
        found.add(field, "yes" if value else "no", locator)
    elif field == "slide_count" and isinstance(value, int) and not isinstance(value, bool):
        found.add(field, str(value), locator)
    elif isinstance(value, str):
        found.add(field, value, locator)
    else:
        found.wrong.append((field, value, locator))


def _list(found: Collected, field: str, value: Any, locator: str) -> None:
    if isinstance(value, bool) or (isinstance(value, int | float) and field in ("needs", "products")):
        found.wrong.append((field, value, locator))
        return
    if isinstance(value, str):
        for index, part in enumerate(pieces(field, value, split_list)):
            found.add(field, named(field, with_label(field, locator, part)), f"{locator}[{index}]")
        return
    for text, where in flatten(value, locator):
        found.add(field, named(field, with_label(field, locator, text)), where)


def flatten(value: Any, locator: str) -> list[tuple[str, str]]:
    """A value of any shape as lines of text, each with its place. A mapping with a name becomes ``name：rest``."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [(part, locator) for part in (line.strip(" 　-・*") for line in value.splitlines()) if part]
    if isinstance(value, list | tuple):
        return [line for index, item in enumerate(value) for line in flatten(item, f"{locator}[{index}]")]
    if isinstance(value, Mapping):
        name = next((k for k in value if _NAME_KEYS.match(str(k)) and isinstance(value[k], str)), None)
        if name is not None:
            rest = [_told(str(k), v) for k, v in value.items() if k != name and v is not None]
            head = str(value[name]).strip()
            return [(f"{head}{'：' if rest else ''}{'、'.join(rest)}", locator)]
        return [(_pair(str(k), v), f"{locator}.{k}") for k, v in value.items() if v is not None]
    if isinstance(value, date | datetime):
        return [(value.isoformat()[:10], locator)]
    return [(str(value), locator)]


_DESCRIBING = re.compile(
    r"^(?:description|details?|desc|note|text|value|amount|period|when|start|説明|詳細|内容|概要|特徴|備考|金額|値|期間|時期|対応|対応策|対策|mitigation|impact|影響)$",
    re.IGNORECASE,
)


def _describes(key: str) -> bool:
    return _DESCRIBING.match(key) is not None


def _told(key: str, value: Any) -> str:
    return _inline(value) if _describes(key) else f"{key} {_inline(value)}"


def _pair(key: str, value: Any) -> str:
    return f"{key}：{_inline(value)}"


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        given = [(str(k), v) for k, v in value.items() if v is not None]
        if [split_role(k)[1] for k, _ in given[:2]] == ["before", "after"]:  # {now: 9.2億円, goal: 8億円}
            return " → ".join(_inline(v) for _, v in given[:2]) + "".join(f"、{_told(k, v)}" for k, v in given[2:])
        return "、".join(_told(k, v) for k, v in given)
    if isinstance(value, list | tuple):
        return "、".join(_inline(v) for v in value)
    if isinstance(value, bool):
        return "はい" if value else "いいえ"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).strip()
