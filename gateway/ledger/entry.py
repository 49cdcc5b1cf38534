"""The two halves of a ledger row: what is known before an attempt goes upstream, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Opening:
    """Stored before the request goes upstream, in the transaction of its audit intent.

    ``day``: the local date in the books' time zone; ``lost_…``: what is charged if nobody ever learns how it ended (its
    process died): the prompt, as estimated; ``reserved_…``: held against the budgets meanwhile. Times in milliseconds.
    """

    request_id: str
    attempt: int
    day: str
    started_ms: int
    key_id: str
    team_id: str
    team: str
    user: str
    app: str
    job: str
    surface: str
    model: str  # as asked
    target: str  # the model it stands for
    reserved_tokens: int
    reserved_micro_yen: int
    lost_tokens: int
    lost_micro_yen: int
    price_version: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """Stored before the last byte leaves, in the transaction of the audit outcome. ``exact``: the engine counted."""

    request_id: str
    attempt: int
    settled_ms: int
    upstream: str
    served: str  # the model that answered, "" when none did
    outcome: str
    status: int
    prompt_tokens: int
    completion_tokens: int
    audio_ms: int
    micro_yen: int
    exact: bool


Entry = Opening | Settlement
