"""Items of a Responses request and blocks of a Messages request: only kinds whose every text the guardrails read.

Where a kind has fields beside its known ones, they pass if they carry no text; else a text would go upstream unread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.api.content import MAX_MESSAGES, check_media, check_media_count
from gateway.errors import BadRequest

_ROLES = frozenset({"system", "developer", "user", "assistant"})
# Kind → the fields with texts that the guardrails read, and names and ids of the protocol.
_ITEMS: Mapping[str, frozenset[str]] = {
    "message": frozenset({"type", "role", "content", "id", "status", "phase"}),
    "function_call": frozenset({"type", "id", "call_id", "name", "arguments", "status", "namespace"}),
    "function_call_output": frozenset({"type", "id", "call_id", "output", "status"}),
    "custom_tool_call": frozenset({"type", "id", "call_id", "name", "input", "status", "namespace"}),
    "custom_tool_call_output": frozenset({"type", "id", "call_id", "output", "status"}),
    "reasoning": frozenset({"type", "id", "summary", "content", "status"}),
}
_PARTS: Mapping[str, frozenset[str]] = {
    "input_text": frozenset({"type", "text"}),
    "output_text": frozenset({"type", "text"}),
    "reasoning_text": frozenset({"type", "text"}),
    "summary_text": frozenset({"type", "text"}),
    "refusal": frozenset({"type", "refusal"}),
    "input_image": frozenset({"type", "image_url", "detail"}),
}


def check_items(value: Any) -> None:
    """``input`` of a Responses request. Raises BadRequest."""
    if isinstance(value, str):
        return
    if not isinstance(value, list) or not value:
        raise BadRequest("'input' must be a text or a list of items.", param="input")
    if len(value) > MAX_MESSAGES:
        raise BadRequest(f"'input' has more than {MAX_MESSAGES} items.", param="input")
    check_media_count(sum(_check_item(item, f"input[{index}]") for index, item in enumerate(value)), "input")


def _check_item(item: Any, where: str) -> int:
    """How many pictures it holds. Hosted tools' items (searches, code runs, MCP …) do not occur: the gateway lets the engine run none of them.
    ``item_reference`` and ``encrypted_content`` point to what the guardrails cannot read."""
    kind = item.get("type", "message" if "role" in item else None) if isinstance(item, dict) else None
    known = known_kind(kind, _ITEMS, where)
    if kind == "message" and item.get("role") not in _ROLES:
        raise BadRequest(f"'{where}.role' must be one of {', '.join(sorted(_ROLES))}.", param=f"{where}.role")
    check_fields(item, known, where)
    for name in ("arguments", "input"):
        if name in item and not isinstance(item[name], str):
            raise BadRequest(f"'{where}.{name}' must be a text.", param=f"{where}.{name}")
    given = [name for name in ("content", "summary", "output") if item.get(name) is not None]
    return sum(_check_parts(item[name], f"{where}.{name}") for name in given)


def _check_parts(value: Any, where: str) -> int:
    if isinstance(value, str):
        return 0
    if not isinstance(value, list):
        raise BadRequest(f"'{where}' must be a text or a list of parts.", param=where)
    for index, part in enumerate(value):
        here = f"{where}[{index}]"
        kind = part.get("type") if isinstance(part, dict) else None
        check_fields(part, known_kind(kind, _PARTS, here), here)
        if kind == "input_image":
            check_media(part.get("image_url"), "data:image/", f"{here}.image_url")
        elif not isinstance(part.get("refusal" if kind == "refusal" else "text"), str):
            raise BadRequest(f"'{here}' must hold a text.", param=here)
    return sum(part["type"] == "input_image" for part in value)


def known_kind(kind: Any, kinds: Mapping[str, frozenset[str]], where: str) -> frozenset[str]:
    """The fields of a kind. Raises BadRequest for one that is not accepted."""
    if not isinstance(kind, str) or kind not in kinds:
        message = f"'{where}.type' must be one of {', '.join(sorted(kinds))}."
        raise BadRequest(message, code="unsupported_parameter", param=f"{where}.type")
    return kinds[kind]


def check_fields(node: dict[str, Any], known: frozenset[str], where: str) -> None:
    """Refuse a field that nobody knows and that carries text."""
    for name, value in node.items():
        if name not in known and any(_texts(value)):
            here = f"{where}.{name[:40]}"
            message = f"'{here}' is not accepted by this gateway: the guardrails do not read it."
            raise BadRequest(message, code="unsupported_parameter", param=here)


def _texts(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            stack.extend([*node, *node.values()])
        elif isinstance(node, list):
            stack.extend(node)
