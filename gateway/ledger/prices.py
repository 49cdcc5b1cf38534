"""What tokens and minutes of audio cost. Costs are whole micro-yen; a price is in effect under its version's name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import orjson

# One yen per million tokens is one micro-yen per token. Prices keep three more places.
_MILLI = 1000
_MS_PER_MINUTE = 60_000
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Milli-micro-yen per prompt and completion token; micro-yen per minute of audio. ``version``: of the price list."""

    prompt: int = 0
    completion: int = 0
    audio: int = 0
    version: str = ""

    def cost(self, prompt_tokens: int, completion_tokens: int, audio_ms: int = 0) -> int:
        """Micro-yen, rounded up: integers, so that sums do not depend on their order."""
        cost = -(-(self.prompt * prompt_tokens + self.completion * completion_tokens) // _MILLI)
        return cost - (-self.audio * audio_ms // _MS_PER_MINUTE) if audio_ms else cost


class Prices:
    """The price list. A model has the price of the name asked for, else of the model it stands for, else of ``*``."""

    def __init__(self, yen: Mapping[str, Mapping[str, Decimal]]) -> None:
        """``yen``: by model or alias ``prompt``, ``completion`` (yen per million tokens), ``audio`` (yen per minute)."""
        self.listed = {
            model: {name: str(price) for name, price in sorted(prices.items())} for model, prices in sorted(yen.items())
        }
        digest = hashlib.sha256(orjson.dumps(self.listed)).hexdigest()[:12]
        self.version = digest if self.listed else ""
        self._free = Price(version=self.version)
        self._prices = {model: self._price(prices) for model, prices in yen.items()}

    def _price(self, yen: Mapping[str, Decimal]) -> Price:
        zero = Decimal(0)
        return Price(
            int(yen.get("prompt", zero) * _MILLI),
            int(yen.get("completion", zero) * _MILLI),
            int(yen.get("audio", zero) * _MICRO),
            self.version,
        )

    def of(self, *names: str) -> Price:
        """The price under the first of these names that has one."""
        if not self._prices:
            return self._free
        return next((self._prices[name] for name in (*names, "*") if name in self._prices), self._free)

    def public(self) -> dict[str, Any]:
        return {"object": "prices", "version": self.version, "currency": "JPY", "prices": self.listed}


class Configured(Protocol):
    """A model's prices as the settings hold them."""

    def model_dump(self, *, exclude_none: bool) -> dict[str, Decimal]: ...


def price_table(configured: Mapping[str, Configured]) -> dict[str, dict[str, Decimal]]:
    """``gateway.prices`` as :class:`Prices` takes them."""
    return {model: prices.model_dump(exclude_none=True) for model, prices in configured.items()}
