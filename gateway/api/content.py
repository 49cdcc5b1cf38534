"""The texts of a request: messages, prompts, inputs. What the guardrails cannot read, or what would make the engine
fetch something, does not pass."""

from __future__ import annotations

from typing import Any

from gateway.errors import BadRequest

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
MAX_MESSAGES = 4_096
MAX_INPUTS = 2_048
MAX_PROMPTS = 16
MAX_MEDIA = 32  # parts with media: each is decoded and fills its own share of the context, however small its file
# Part types the guardrails read (text, refusal), and media that lie in the body itself.
_MEDIA = {"image_url": "data:image/", "audio_url": "data:audio/"}
_PARTS = frozenset({"text", "refusal", "input_audio", *_MEDIA})


def check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise BadRequest("'messages' must be a list with at least one message.", param="messages")
    if len(messages) > MAX_MESSAGES:
        raise BadRequest(f"'messages' has more than {MAX_MESSAGES} messages.", param="messages")
    media = 0
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict):
            raise BadRequest(f"'{where}' must be an object with 'role' and 'content'.", param=where)
        if message.get("role") not in _ROLES:
            raise BadRequest(f"'{where}.role' must be one of {', '.join(sorted(_ROLES))}.", param=f"{where}.role")
        media += _check_content(message, where)
    check_media_count(media, "messages")


def _check_content(message: dict[str, Any], where: str) -> int:
    """How many of its parts are media."""
    content = message.get("content")
    if content is None and message["role"] == "assistant":
        return 0  # an assistant's tool calls
    if isinstance(content, str):
        return 0
    if not isinstance(content, list):
        raise BadRequest(f"'{where}.content' must be a text or a list of parts.", param=f"{where}.content")
    for index, part in enumerate(content):
        _check_part(part, f"{where}.content[{index}]")
    return sum(part["type"] not in ("text", "refusal") for part in content)


def _check_part(part: Any, where: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or kind not in _PARTS:
        # video_url: CVE-2026-22778, CVE-2026-5497. A part without a type: vLLM would guess it from its keys.
        raise BadRequest(f"'{where}.type' must be one of {', '.join(sorted(_PARTS))}.", param=f"{where}.type")
    if foreign := [name for name in part if name != kind and name.endswith(("_url", "_embeds", "_pil"))]:
        raise BadRequest(f"'{where}' is of type {kind} and cannot hold '{foreign[0][:40]}'.", param=where)
    if part.get("uuid") is not None:
        # vLLM's cache of decoded media goes by it: another client's picture could be seen, or put in a picture's place.
        raise BadRequest(f"'{where}.uuid' is not accepted by this gateway.", param=f"{where}.uuid")
    if kind in ("text", "refusal"):
        if not isinstance(part.get(kind), str):
            raise BadRequest(f"'{where}.{kind}' must be a text.", param=f"{where}.{kind}")
    elif kind in _MEDIA:
        check_media(part.get(kind), _MEDIA[kind], f"{where}.{kind}")


def check_media(value: Any, prefix: str, where: str) -> None:
    """Only media inside the body: the engine must not fetch addresses or files for a client (CVE-2025-6242)."""
    url = value.get("url") if isinstance(value, dict) else value
    head = url[:100].lower().partition(",")[0] if isinstance(url, str) else ""
    if not head.startswith(prefix) or not head.endswith(";base64"):
        raise BadRequest(
            f"'{where}' must hold the data itself ({prefix}…;base64,…); remote and file addresses are not fetched.",
            code="remote_media_refused",
            param=where,
        )


def check_media_count(count: int, where: str) -> None:
    if count > MAX_MEDIA:
        raise BadRequest(f"'{where}' holds more than {MAX_MEDIA} pictures or sounds.", param=where)


def check_prompt(prompt: Any) -> None:
    _check_texts(prompt, "prompt", MAX_PROMPTS)


def check_input(value: Any) -> None:
    _check_texts(value, "input", MAX_INPUTS)


def _check_texts(value: Any, where: str, most: int) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list) or not value:
        raise BadRequest(f"'{where}' must be a text or a list of texts.", param=where)
    if not all(isinstance(item, str) for item in value):
        raise BadRequest(f"'{where}' must be texts: the guardrails cannot read token ids.", param=where)
    if len(value) > most:
        raise BadRequest(f"'{where}' has more than {most} texts.", param=where)
