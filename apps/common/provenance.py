"""Where an item of an output comes from: request, model, prompt, policy."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Origin(BaseModel):
    """Stands at every item of ``minutes.json``, ``deck.json`` and ``report.json``.

    ``source``: rule (code found it), model (the model proposed it), person (edited by hand).
    """

    model_config = ConfigDict(extra="forbid")
    source: Literal["rule", "model", "person"]
    request_ids: list[str] = []
    model: str | None = None
    prompt: str | None = None  # id@version
    policy: str | None = None  # name@version


class Check(BaseModel):
    """The verifier's verdict on one item; ``reasons`` are sentences in the output language."""

    model_config = ConfigDict(extra="forbid")
    status: Literal["supported", "needs_review"] = "supported"
    reasons: list[str] = []
