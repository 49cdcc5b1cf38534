"""The choices of a stream: every text in every delta goes through the guard, whatever its field is called.

Unknown fields (``reasoning`` and what comes after it) are guarded and passed (litellm#20246); ``index`` and ``id`` of
parallel tool calls stay as they are (litellm#33678). The texts as received are gathered for the audit record.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.guardrails.types import Blocked, RequestGuard, StreamGuard

Path = tuple[str | int, ...]

# Words of the protocol, not of the model: they pass as they are.
_STRUCTURE = frozenset({"role", "id", "type", "name", "object", "format", "signature"})
_REASONING = frozenset({"reasoning", "reasoning_content"})
# In a completion (without ``delta``) these lie beside the text.
_BESIDE = frozenset({("index",), ("finish_reason",), ("stop_reason",), ("logprobs",)})


class ChoiceStream:
    """One choice of a streamed answer."""

    def __init__(self, index: int, guard: RequestGuard) -> None:
        self.index = index
        self.closed = False  # finished, or blocked: nothing more of it is sent
        self.finish_reason = ""
        self.texts = 0
        self.received: dict[Path, list[str]] = {}
        self._guard = guard
        self._open: dict[Path, StreamGuard] = {}
        self._runs: dict[Path, int] = {}

    def take(self, choice: dict[str, Any]) -> bool:
        """Guard one chunk of this choice in place; whether anything of it changed. Raises nothing: a block shows as
        ``finish_reason: content_filter`` and ends the choice."""
        holder = choice.get("delta") if "delta" in choice else choice
        try:
            changed = self._walk(holder, ()) if isinstance(holder, dict) else False
            reason = choice.get("finish_reason")
            if reason:
                self.finish_reason, self.closed = str(reason), True
                changed |= self._flush(holder, cut=reason == "length")
        except Blocked:
            self._block(choice)
            return True
        if changed and choice.get("logprobs") is not None:
            choice["logprobs"] = None  # they would spell out what the guard holds back or has changed
        return changed

    def _walk(self, node: dict[str, Any], path: Path) -> bool:
        changed = False
        fields = list(node.items())  # held-back reasoning may be added on the way
        if not path and len(fields) > 1:
            fields.sort(key=_reasoning_first)
        for name, value in fields:
            here = (*path, name)
            if here in _BESIDE:
                continue
            if isinstance(value, str):
                if value and name not in _STRUCTURE:
                    changed |= self._end_reasoning(node, here)
                    sent = self._feed(here, value)
                    changed |= sent != value
                    node[name] = sent
            elif isinstance(value, dict):
                changed |= self._walk(value, here)
            elif isinstance(value, list):
                for position, item in enumerate(value):
                    if isinstance(item, dict):
                        changed |= self._walk(item, (*here, _number(item, position)))
        return changed

    def _feed(self, path: Path, text: str) -> str:
        self.texts += 1
        self.received.setdefault(path, []).append(text)
        stream = self._open.get(path)
        if stream is None:
            run = self._runs.get(path, 0)
            key = (self.index, path[-1], *path[:-1])
            # A field taken up again after its end (reasoning, answer, reasoning) is a text of its own.
            stream = self._open[path] = self._guard.stream((*key, f"run{run}") if run else key)
        return stream.feed(text)

    def _end_reasoning(self, delta: dict[str, Any], path: Path) -> bool:
        """The answer proper begins: what is held back of the reasoning belongs before it."""
        if len(self._open) == 1 and path in self._open:
            return False  # as of most chunks: the same text goes on
        ended = [p for p in self._open if p[0] in _REASONING] if path[0] not in _REASONING else []
        changed = False
        for reasoning in ended:
            rest = self._open.pop(reasoning).finish()
            self._runs[reasoning] = self._runs.get(reasoning, 0) + 1
            if rest and len(path) == 1:
                _append(delta, reasoning, rest)
                changed = True
        return changed

    def _flush(self, holder: Any, *, cut: bool) -> bool:
        """The choice ends: put what the guards still hold into its last chunk."""
        changed = False
        for path, stream in self._open.items():
            rest = stream.finish(cut=cut)
            if rest and isinstance(holder, dict):
                _append(holder, path, rest)
                changed = True
        self._open.clear()
        return changed

    def _block(self, choice: dict[str, Any]) -> None:
        kept = {name: choice[name] for name in ("index",) if name in choice}
        body: dict[str, Any] = {"delta": {}} if "delta" in choice else {"text": ""}
        choice.clear()
        choice.update(kept | body | {"logprobs": None, "finish_reason": "content_filter"})
        self.finish_reason, self.closed = "content_filter", True
        self._open.clear()

    def message(self) -> dict[str, Any]:
        """The choice as received, assembled."""
        message: dict[str, Any] = {}
        for path, pieces in self.received.items():
            _append(message, path, "".join(pieces))
        return {"index": self.index, "message": message, "finish_reason": self.finish_reason or None}


def _reasoning_first(field: tuple[str, Any]) -> bool:
    return field[0] not in _REASONING


def _number(item: dict[str, Any], position: int) -> int:
    index = item.get("index")
    return index if isinstance(index, int) else position


def _append(holder: dict[str, Any], path: Path, text: str) -> None:
    """Add text at a path of a delta, making the way there; list items are found by their ``index``."""
    node: Any = holder
    for step, following in zip(path, (*path[1:], None), strict=True):
        if isinstance(step, int):
            continue
        if following is None:
            node[step] = (node.get(step) or "") + text
        elif isinstance(following, int):
            items = node.get(step)
            if not isinstance(items, list):
                items = node[step] = []
            item = next((i for p, i in enumerate(items) if isinstance(i, dict) and _number(i, p) == following), None)
            if item is None:
                item = {"index": following}
                items.append(item)
            node = item
        else:
            if not isinstance(node.get(step), dict):
                node[step] = {}
            node = node[step]


def has_substance(choice: dict[str, Any]) -> bool:
    """Whether a guarded chunk still says anything: a text, a role, a name, an end."""
    if choice.get("finish_reason"):
        return True
    holder = choice.get("delta") if "delta" in choice else choice
    return any(_leaves(holder))


def _leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name != "index":
                yield from _leaves(value)
    elif isinstance(node, list):
        for item in node:
            yield from _leaves(item)
    elif node is not None and node != "":
        yield node
