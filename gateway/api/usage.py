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
        """From upstream's ``usage`` object; None when there is none. Zero is zero, not unknown (litellm#37992)."""
        if not isinstance(usage, dict):
            return None
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if not isinstance(prompt, int) and not isinstance(completion, int):
            return None
        return cls(prompt if isinstance(prompt, int) else 0, completion if isinstance(completion, int) else 0)


NOTHING = Usage()
