"""The ways out of the proposals app: questions to the model and the wording check, through the gateway."""

from __future__ import annotations

import uuid
from pathlib import Path

from apps.common.client import GatewayClient, read_key
from apps.proposals.pipeline import Models
from apps.proposals.writing.wording import GuardScanner
from kakehashi.errors import NotReady
from kakehashi.settings import Settings

STEP_S = 120.0  # a sentence takes seconds; a deck made by rules is better than a longer wait
ATTEMPTS = 3  # the client tries a question again twice


def step_budget(loaded: Settings) -> float:
    """Seconds that one step (storyline, slides) may wait for a model that does not answer.

    ``proposals.request_timeout_s`` where that is shorter than two minutes.
    """
    return min(loaded.proposals.request_timeout_s, STEP_S)


def models(
    loaded: Settings,
    *,
    gateway: str | None = None,
    key_file: Path | None = None,
    user: str = "",
    vouched: bool = False,
    job: str = "",
) -> tuple[Models, NotReady | None]:
    """Model and wording check; without a key none, and the reason: the deck is then made by rules alone."""
    own = loaded.proposals
    url = gateway or loaded.gateway_base_url(own)
    budget = step_budget(loaded)
    try:
        key = read_key(key_file or own.key_file or loaded.home.secrets / "proposals.key")
    except NotReady as error:
        return Models(), error
    client = GatewayClient(
        url,
        key,
        model=own.model,
        app="proposals",
        job=job or uuid.uuid4().hex[:12],
        user=user,
        vouched=vouched,
        timeout_s=budget / ATTEMPTS,
        parallel=own.parallel,
    )
    return Models(client, GuardScanner(url, key), budget), None
