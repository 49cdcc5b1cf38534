"""The texts of one answer by their place in it, each under a guard of its own.

Dialects that say a text twice (pieces first, then whole, then inside the finished answer) keep one truth here: what a
text is in the end is what was told of it in pieces, so the whole never shows more than the pieces did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from gateway.guardrails.types import RequestGuard, StreamGuard

Path = tuple[str | int, ...]

# Words of the protocol, not of the model: they pass as they are.
STRUCTURE = frozenset(
    {
        *("type", "id", "item_id", "call_id", "tool_use_id", "object", "role", "name", "namespace", "status", "phase"),
        *("model", "signature", "format", "server_label", "container_id", "obfuscation"),
    }
)


@dataclass
class _Text:
    guard: StreamGuard
    received: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    closed: bool = False


class Texts:
    """Every text of an answer. Both ways in raise Blocked when a policy forbids what they are given."""

    def __init__(self, guard: RequestGuard) -> None:
        self._guard = guard
        self._texts: dict[Path, _Text] = {}
        self.pieces = 0  # about one token each

    def piece(self, path: Path, text: str) -> str:
        """The next piece of a text; what may be told now."""
        self.pieces += 1
        one = self._at(path)
        one.received.append(text)
        told = one.guard.feed(text)
        one.told.append(told)
        return told

    def whole(self, path: Path, text: str) -> tuple[str, str]:
        """A text has ended, and is ``text`` as a whole: what is left to tell of it, and all that was told."""
        one = self._at(path)
        if one.closed:
            return "", "".join(one.told)
        received = "".join(one.received)
        rest = self.piece(path, text[len(received) :]) if text != received and text.startswith(received) else ""
        rest += self.end(path)
        return rest, "".join(one.told)

    def end(self, path: Path) -> str:
        """Nothing more comes of a text: what was held back of it."""
        one = self._at(path)
        if one.closed:
            return ""
        one.closed = True
        rest = one.guard.finish()
        one.told.append(rest)
        return rest

    def open(self) -> list[Path]:
        """The texts that have begun and not ended."""
        return [path for path, one in self._texts.items() if not one.closed]

    def received(self) -> dict[Path, str]:
        return {path: "".join(one.received) for path, one in self._texts.items()}

    def told(self) -> dict[Path, str]:
        return {path: "".join(one.told) for path, one in self._texts.items()}

    def _at(self, path: Path) -> _Text:
        found = self._texts.get(path)
        if found is None:
            found = self._texts[path] = _Text(self._guard.stream(path))
        return found


def change_texts(node: Any, path: Path, change: Callable[[Path, str], str]) -> bool:
    """Change every text below a node in place; whether any changed. Token probabilities of a changed text go."""
    changed = False
    for name, value in _children(node):
        if isinstance(value, str):
            if value and name not in STRUCTURE:
                node[name] = change((*path, name), value)
                changed |= node[name] != value
        elif name != "logprobs":
            changed |= change_texts(value, (*path, name), change)
    if changed and isinstance(node, dict) and node.get("logprobs"):
        node["logprobs"] = []  # they spell out the text as it was
    return changed


def _children(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, dict):
        yield from list(node.items())
    elif isinstance(node, list):
        yield from enumerate(node)


def put_texts(root: dict[str, Any], texts: Mapping[Path, str]) -> None:
    """Put texts where they belong below a node, making the way there."""
    for path, text in texts.items():
        node: Any = root
        for step, following in pairwise(path):
            if isinstance(node, list) and isinstance(step, int):
                node.extend({} for _ in range(step + 1 - len(node)))
                node = node[step]
            else:
                if not isinstance(node.get(step), list | dict):
                    node[step] = [] if isinstance(following, int) else {}
                node = node[step]
        if isinstance(node, list) and isinstance(path[-1], int):
            node.extend("" for _ in range(path[-1] + 1 - len(node)))
        node[path[-1]] = text
