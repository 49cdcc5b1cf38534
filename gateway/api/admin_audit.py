"""The audit log on the admin API: search, read, verify, export, legal holds. For auditors and admins.

Reading bodies, verifying, exporting and holding are acts: they are recorded in the name of who does them.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import StreamingResponse

from gateway.api.roles import Admin, Auditor, AuditorRun, Run
from gateway.api.services import Services, TheServices
from gateway.audit import export as exporting
from gateway.audit import retention, search
from gateway.audit.anchors import AnchorError, Checkpoint, open_anchor
from gateway.audit.crypto import Vault
from gateway.audit.log import AuditLog
from gateway.audit.shown import flat, read_body
from gateway.audit.shown import request as shown_request
from gateway.audit.times import day, moment
from gateway.audit.verify import Options, verify
from gateway.errors import NotFound, Unavailable
from gateway.identity.model import VirtualKey

router = APIRouter(prefix="/admin/audit", tags=["admin"])


class Verification(BaseModel):
    """``since``: check only entries from then on (ISO time or a span such as 7d); ``writer``: only this chain."""

    model_config = ConfigDict(extra="forbid")
    since: str = ""
    writer: str = ""


class NewHold(BaseModel):
    """``team`` "": all teams; days are ISO dates, both included."""

    model_config = ConfigDict(extra="forbid")
    team: str = ""
    first_day: str
    last_day: str = "9999-12-31"
    reason: str


def _filters(  # one parameter each: so they stand in the API's description
    since: str = "",
    until: str = "",
    user: str = "",
    team: str = "",
    key: str = "",
    app: str = "",
    model: str = "",
    prompt: str = "",
    policy: str = "",
    surface: str = "",
    rule: str = "",
    outcome: str = "",
    action: str = "",
    target: str = "",
    text_id: str = "",
) -> search.Query:
    given = {name: value for name, value in locals().items() if name not in ("since", "until")}
    return search.Query(since=moment(since), until=moment(until), **given)


Filters = Annotated[search.Query, Depends(_filters)]


def _log(services: TheServices) -> AuditLog:
    log = services.records.audit
    if not isinstance(log, AuditLog):
        raise Unavailable("This gateway's audit log cannot be read.", code="audit_unavailable")
    return log


Log = Annotated[AuditLog, Depends(_log)]


@router.get("")
def find(
    auditor: Auditor,
    log: Log,
    filters: Filters,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    after: str = "",
) -> dict[str, Any]:
    """Requests and acts, newest first; without bodies."""
    found = search.find(log.chain.store, filters, limit=limit, after=after)
    return {"object": "list", "data": [shown_request(rows) for rows in found.results], "next": found.next or None}


@router.get("/status")
def status(auditor: Auditor, log: Log, services: TheServices) -> dict[str, Any]:
    """Where this gateway's chain stands, who signs it, and how its anchors fare."""
    chain = log.chain
    seq, digest = chain.head
    standing = services.keeping.anchoring.standing if services.keeping else {}
    return {
        "writer": chain.name,
        "seq": seq,
        "hash": digest,
        "signing_key": chain.signer.public_hex,
        "anchors": {name: asdict(one) for name, one in standing.items()},
        "body_retention_days": services.settings.audit_retention_days,
        "record_retention_days": services.settings.audit_metadata_retention_days,
    }


@router.get("/export")
async def export(
    run: AuditorRun, log: Log, filters: Filters, format: Literal["jsonl", "csv", "parquet"] = "jsonl"
) -> StreamingResponse:
    """Records without bodies, oldest first, as a stream; each with its canonical entry and hash."""
    asked = {name: value for name, value in asdict(filters).items() if value}
    await run("audit.export", format, asked, lambda: None)
    return StreamingResponse(
        exporting.export(log.chain.store, filters, format),
        media_type=exporting.MEDIA_TYPES[format],
        headers={"content-disposition": f'attachment; filename="kakehashi-audit.{format}"'},
    )


@router.post("/verify")
async def check(asked: Verification, run: AuditorRun, log: Log, services: TheServices) -> dict[str, Any]:
    """Check the chains. The report says `ok`; problems name the writer, the entry and what is wrong."""
    options = Options(since=moment(asked.since), writer=asked.writer)
    chain = log.chain
    await asyncio.to_thread(chain.write_head)  # no older than this request
    report = await run(
        "audit.verify",
        asked.writer,
        asked.model_dump(),
        lambda: verify(chain.store, chain.heads.read(), chain.signer, _anchored(services), options),
    )
    found: dict[str, Any] = report.public()
    return found


def _anchored(services: Services) -> list[Checkpoint]:
    """The checkpoints of the configured anchors that can be read back (a syslog server cannot).

    Raises Unavailable when one cannot be read now: a verdict without it would claim more than was compared.
    """
    urls = [url for url in services.settings.audit_anchors if not url.startswith("syslog+")]
    try:
        return [mark for url in urls for mark in open_anchor(url).read()]
    except AnchorError as error:
        raise Unavailable(error.message, code=error.code) from error


@router.get("/holds")
def list_holds(auditor: Auditor, log: Log, released: bool = False) -> dict[str, Any]:
    """Legal holds in force; with `released` also those of the past."""
    data = [asdict(hold) for hold in retention.holds(log.chain.store, released=released)]
    return {"object": "list", "data": data, "next": None}


@router.post("/holds", status_code=201)
async def add_hold(asked: NewHold, admin: Admin, run: Run, log: Log) -> dict[str, Any]:
    """Keep bodies and records of these days until the hold is released."""
    first, last = day(asked.first_day), day(asked.last_day)

    def add() -> retention.Hold:
        store = log.chain.store
        return retention.add_hold(
            store, _already_recorded, tenant=asked.team, first_day=first, last_day=last, reason=asked.reason, by=_who(admin)
        )

    return asdict(await run("audit.hold.add", asked.team or "all", asked.model_dump(), add))


@router.delete("/holds/{hold_id}")
async def release_hold(hold_id: str, admin: Admin, run: Run, log: Log) -> dict[str, Any]:
    """End a hold."""
    store = log.chain.store
    await run(
        "audit.hold.release", hold_id, {}, lambda: retention.release_hold(store, _already_recorded, hold_id, _who(admin))
    )
    return {"id": hold_id, "released": True}


def _who(caller: VirtualKey) -> str:
    """The person, or the key where nobody is known."""
    return caller.user.name or caller.name


def _already_recorded(kind: str, data: dict[str, Any]) -> None:
    """The act itself is in the log, with who did it."""


@router.get("/{request_id}")
async def read(request_id: str, auditor: Auditor, run: AuditorRun, log: Log, bodies: bool = False) -> dict[str, Any]:
    """Everything recorded about one request. With `bodies` also what was asked and answered; that is recorded."""
    chain = log.chain
    rows = await asyncio.to_thread(search.one, chain.store, request_id)
    if not rows:
        raise NotFound(f"There is no record of request '{request_id[:80]}'.", code="record_not_found")
    entries = [{**flat(row), "entry": row.entry} for row in rows]
    if bodies:
        texts = await run(
            "audit.read", request_id[:200], {}, lambda: [_body(chain.store, chain.vault, r) for r in rows]
        )
        entries = [{**entry, "body": text} for entry, text in zip(entries, texts, strict=True)]
    return {"object": "audit.record", "request_id": request_id, "entries": entries}


def _body(store: Any, vault: Vault, row: Any) -> str | None:
    text = read_body(store, vault, row)
    return text.decode(errors="replace") if text is not None else None
