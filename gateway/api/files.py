"""``/v1/files``: the inputs and results of batches, seen only by the team (or the key without one) that owns them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from gateway.api.acts import CallersAct
from gateway.api.multipart import Form, read_form
from gateway.api.params import Sifted
from gateway.api.services import Caller, Services, TheServices
from gateway.batches.model import StoredFile, owner_of
from gateway.errors import BadRequest, Conflict
from gateway.identity.model import VirtualKey

router = APIRouter(prefix="/v1/files", tags=["batches"])
_LIFETIME_S = (3600, 30 * 86400)  # shortest and longest that a client may ask for
_EXPIRY = ("expires_after[anchor]", "expires_after[seconds]")
_FORM = {
    "type": "object",
    "required": ["file", "purpose"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": {"type": "string", "enum": ["batch"]},
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": {"type": "integer", "minimum": _LIFETIME_S[0], "maximum": _LIFETIME_S[1]},
    },
}


@router.post(
    "", openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}}
)
async def upload(request: Request, response: Response, caller: Caller, services: TheServices) -> dict[str, Any]:
    """Upload the input of a batch (JSONL). It lies encrypted, and is deleted when its time is over."""
    act = CallersAct(request, services, caller, "files")
    await act.admit()
    form = await read_form(act.client, services.scratch, services.settings.max_file_bytes)
    try:
        file = await _stored(act, form, caller, services)
    finally:
        form.close()
    ignored = tuple(name for name in form.fields if name not in ("purpose", *_EXPIRY))
    response.headers.update({**act.headers, **Sifted({}, ignored).header})
    return file.public()


async def _stored(act: CallersAct, form: Form, caller: VirtualKey, services: Services) -> StoredFile:
    sent, files = form.required_upload(), services.batches.files
    purpose = form.fields.get("purpose", [""])[-1]
    if purpose != "batch":
        raise BadRequest("'purpose' must be 'batch': this gateway keeps files for batches only.", param="purpose")
    lifetime = _lifetime(form, services.settings.file_retention_days)

    def store() -> StoredFile:
        name = sent.filename or "batch.jsonl"
        return files.publish(files.write(owner_of(caller), caller.id, name, purpose, sent.parts(), lifetime))

    details = {"purpose": purpose, "filename": sent.filename, "bytes": sent.size, "sha256": sent.sha256}
    return await act.run("file.create", sent.sha256, details, store)


def _lifetime(form: Form, days: int) -> timedelta:
    """How long the file is kept: as asked, at most as long as the house keeps any."""
    anchor, asked = (form.fields.get(name, [""])[-1] for name in _EXPIRY)
    if not asked and not anchor:
        return timedelta(days=days)
    low, high = _LIFETIME_S
    if anchor != "created_at" or not asked.isdigit() or not low <= int(asked) <= high:
        raise BadRequest(
            f"'expires_after' must be anchored at created_at, with seconds from {low} to {high}.", param="expires_after"
        )
    return min(timedelta(seconds=int(asked)), timedelta(days=days))


@router.get("")
def list_files(
    caller: Caller,
    services: TheServices,
    purpose: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
) -> dict[str, Any]:
    """The files of the caller's team, newest first."""
    descending = order == "desc"
    found = services.batches.files.page(
        owner_of(caller), purpose=purpose, after=after, limit=limit + 1, descending=descending
    )
    return page([file.public() for file in found], limit)


def page(items: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A list in OpenAI's shape, from one item more than was asked for."""
    shown = items[:limit]
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {"first_id": None, "last_id": None}
    return {"object": "list", "data": shown, "has_more": len(items) > limit, **ends}


@router.get("/{file_id}")
def get_file(file_id: str, caller: Caller, services: TheServices) -> dict[str, Any]:
    """What is known of a file."""
    return services.batches.files.get(file_id, owner_of(caller)).public()


@router.get("/{file_id}/content", response_class=Response)
async def content(file_id: str, request: Request, caller: Caller, services: TheServices) -> Response:
    """A file's content, decrypted. Who read it goes on record."""
    act, files = CallersAct(request, services, caller, "files"), services.batches.files
    await act.admit()
    file = await act.run("file.read", file_id, {}, lambda: files.get(file_id, owner_of(caller)))
    headers = {**act.headers, "content-length": str(file.size)}
    return StreamingResponse(files.read(file), media_type="application/octet-stream", headers=headers)


@router.delete("/{file_id}")
async def delete_file(
    file_id: str, request: Request, response: Response, caller: Caller, services: TheServices
) -> dict[str, Any]:
    """Delete a file and the key it is encrypted with: for good."""
    act, files = CallersAct(request, services, caller, "files"), services.batches.files
    await act.admit()

    def delete() -> None:
        file = files.get(file_id, owner_of(caller))
        if readers := services.batches.store.readers_of(file.id):
            raise Conflict(f"The file is being read by {readers[0]}; cancel that first.", code="file_in_use")
        files.delete([file.id])

    await act.run("file.delete", file_id, {}, delete)
    response.headers.update(act.headers)
    return {"id": file_id, "object": "file", "deleted": True}
