"""``/v1/batches``: many requests in one file, run at low priority, each through the whole pipeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.api.acts import CallersAct
from gateway.api.files import page
from gateway.api.params import Sifted
from gateway.api.scanning import described
from gateway.api.services import Caller, Services, TheServices
from gateway.batches.lines import ENDPOINTS
from gateway.batches.model import Batch, new_id, owner_of
from gateway.errors import BadRequest, Conflict, NotFound
from gateway.identity.keys import span
from gateway.identity.model import VirtualKey

router = APIRouter(prefix="/v1/batches", tags=["batches"])
_LONGEST_WINDOW = timedelta(days=7)


class Expiry(BaseModel):
    """When the result files are deleted, counted from their making."""

    model_config = ConfigDict(extra="forbid")
    anchor: Literal["created_at"]
    seconds: int = Field(ge=3600, le=30 * 86400)


class BatchCreate(BaseModel):
    """``completion_window``: ``24h``, or another span up to 7d: what is not run by then expires."""

    model_config = ConfigDict(extra="allow")
    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None = None
    output_expires_after: Expiry | None = None


@router.post("", openapi_extra=described(BatchCreate))
async def create(request: Request, response: Response, caller: Caller, services: TheServices) -> dict[str, Any]:
    """Run every line of an uploaded file."""
    act = CallersAct(request, services, caller, "batches")
    await act.admit()
    asked = _asked(await act.client.json(services.settings.max_body_bytes))
    labels = {"acts_for": act.client.person(caller).name, "app": act.client.label("x-kakehashi-app")}
    batch = _batch(asked, caller, services, labels)

    def add() -> None:
        _check_key(services, caller)
        file = services.batches.files.get(asked.input_file_id, batch.owner)
        if file.purpose != "batch":
            raise BadRequest("The file's purpose is not 'batch'.", param="input_file_id")
        services.batches.store.add(batch)

    await act.run("batch.create", batch.id, asked.model_dump(exclude={"metadata"}), add)
    services.batches.wake()
    response.headers.update({**act.headers, **Sifted({}, tuple(asked.model_extra or ())).header})
    return batch.public()


def _asked(body: dict[str, Any]) -> BatchCreate:
    try:
        asked = BatchCreate.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRequest(f"{where}: {first['msg']}", param=where) from None
    if asked.endpoint not in ENDPOINTS:
        raise BadRequest(f"'endpoint' must be one of {', '.join(ENDPOINTS)}.", param="endpoint")
    metadata = asked.metadata or {}
    if len(metadata) > 16 or any(len(name) > 64 or len(value) > 512 for name, value in metadata.items()):
        raise BadRequest(
            "'metadata' has at most 16 entries, names of 64 and values of 512 characters.", param="metadata"
        )
    return asked


def _window(text: str) -> timedelta:
    window = span(text)
    if not timedelta(0) < window <= _LONGEST_WINDOW:
        raise BadRequest("'completion_window' must be a span such as 24h, up to 7d.", param="completion_window")
    return window


def _check_key(services: Services, caller: VirtualKey) -> None:
    """The lines run with the key that made the batch, looked up anew for each: so there must be one."""
    try:
        services.identity.key(caller.id)
    except NotFound:
        raise BadRequest("Batches run with a virtual key; make them with one.", code="key_needed") from None


def _batch(asked: BatchCreate, caller: VirtualKey, services: Services, labels: dict[str, str]) -> Batch:
    now, batch_id = datetime.now(UTC), new_id("batch_")
    kept = timedelta(days=services.settings.file_retention_days)
    if asked.output_expires_after:
        kept = min(kept, timedelta(seconds=asked.output_expires_after.seconds))
    return services.batches.new(
        id=batch_id,
        owner=owner_of(caller),
        key_id=caller.id,
        endpoint=asked.endpoint,
        completion_window=asked.completion_window,
        input_file_id=asked.input_file_id,
        output_expires_s=int(kept.total_seconds()),
        metadata=asked.metadata,
        created_at=now,
        expires_at=now + _window(asked.completion_window),
        **labels,
    )


@router.get("")
def list_batches(
    caller: Caller,
    services: TheServices,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """The batches of the caller's team, newest first."""
    found = services.batches.store.page(owner_of(caller), after=after, limit=limit + 1)
    return page([batch.public() for batch in found], limit)


@router.get("/{batch_id}")
def get_batch(batch_id: str, caller: Caller, services: TheServices) -> dict[str, Any]:
    """Where a batch stands."""
    return services.batches.store.get(batch_id, owner_of(caller)).public()


@router.post("/{batch_id}/cancel")
async def cancel(
    batch_id: str, request: Request, response: Response, caller: Caller, services: TheServices
) -> dict[str, Any]:
    """Begin no further line. Lines under way end; what was answered until then is in the output file."""
    act, store = CallersAct(request, services, caller, "batches"), services.batches.store
    await act.admit()

    def stop() -> Batch:
        batch = store.get(batch_id, owner_of(caller))
        if not store.stop(batch.id, "cancelled") and batch.status not in ("cancelling", "cancelled"):
            raise Conflict(f"The batch is {batch.status}; it cannot be cancelled.", code="batch_ended")
        return store.get(batch_id, owner_of(caller))

    batch = await act.run("batch.cancel", batch_id, {}, stop)
    services.batches.wake()
    response.headers.update(act.headers)
    return batch.public()
