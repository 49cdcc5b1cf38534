"""Tokens of one request, as upstream counts them or, when it broke off, as far as we know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    prompt: int = 0
    completion: int = 0
    exact: bool = True

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    @classmethod
    def of(cls, usage: Any) -> Usage | None:
        """From upstream's ``usage`` object; None when there is none. Zero is zero, not unknown (litellm#37992).

        Chat says prompt and completion tokens; responses and messages say input and output tokens. Messages do not
        count among the input what came from or went to the cache; it was prompt all the same.
        """
        if not isinstance(usage, dict):
            return None
        numbers = {name: value for name, value in usage.items() if isinstance(value, int)}
        prompt = numbers.get("prompt_tokens", numbers.get("input_tokens"))
        completion = numbers.get("completion_tokens", numbers.get("output_tokens"))
        if prompt is None and completion is None:
            return None
        cached = sum(numbers.get(name, 0) for name in ("cache_read_input_tokens", "cache_creation_input_tokens"))
        return cls((prompt or 0) + cached, completion or 0)


NOTHING = Usage()
