"""What a request puts into the ledger: a row opened before each attempt, settled when the attempt is over."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.ledger.entry import Entry, Opening, Settlement

if TYPE_CHECKING:
    from gateway.api.exchange import Exchange
    from gateway.routing.attempts import Try


def opening(x: Exchange, user: str, app: str, job: str) -> tuple[Entry, ...]:
    """For the intent: the row of the first attempt. None for what the limits have not let in."""
    admission = x.admission
    if admission is None:
        return ()
    x.opened = Opening(
        request_id=x.client.request_id,
        attempt=1,
        day=admission.day,
        started_ms=int(admission.at * 1000),
        key_id=x.key.id,
        team_id=x.key.team_id,
        team=x.key.team,
        user=user,
        app=app,
        job=job,
        surface=x.surface.name,
        model=x.body["model"][:200],
        target=x.route.model[:200] if x.route else "",
        reserved_tokens=admission.prompt_tokens + admission.answer_tokens,
        reserved_micro_yen=admission.reserved_micro_yen,
        lost_tokens=admission.prompt_tokens,
        lost_micro_yen=admission.lost_micro_yen,
        price_version=admission.price.version,
    )
    return (x.opened,)


def once_more(x: Exchange, tried: Try, after: str) -> tuple[Entry, ...]:
    """For a further attempt: the one before is settled, and nobody pays for it; the next one's row is opened."""
    if x.opened is None:
        return ()
    last, number = x.tries[-1], tried.number
    settled = _settled(x.opened, last.upstream.name, after, _status(last))
    return (settled, replace(x.opened, attempt=number, started_ms=_now(), target=tried.hop.model[:200]))


def settlement(x: Exchange, outcome: str, status: int) -> tuple[Entry, ...]:
    """For the outcome: the last attempt's row, charged with what was used."""
    if x.opened is None or x.admission is None:
        return ()
    usage = x.billed
    row = _settled(x.opened, x.upstream.name if x.upstream else "", outcome, status)
    charged = replace(
        row,
        served=x.upstream_model,
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        audio_ms=x.audio_ms,
        micro_yen=cost(x),
        exact=usage.exact,
    )
    return (charged,)


def cost(x: Exchange) -> int:
    """Micro-yen, at the price at which the request was let in."""
    usage = x.billed
    return x.admission.price.cost(usage.prompt, usage.completion, x.audio_ms) if x.admission else 0


def _settled(opened: Opening, upstream: str, outcome: str, status: int) -> Settlement:
    return Settlement(opened.request_id, opened.attempt, _now(), upstream, "", outcome[:20], status, 0, 0, 0, 0, True)


def _status(tried: Try) -> int:
    return int(tried.result) if tried.result.isdigit() else 0


def _now() -> int:
    return int(time.time() * 1000)
