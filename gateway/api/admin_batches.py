"""``/admin/batches``: every team's batches, with state and counts; never their content."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from gateway.api.roles import Auditor, Run
from gateway.api.services import TheServices
from gateway.batches.model import Batch
from gateway.errors import Conflict

router = APIRouter(prefix="/admin/batches", tags=["admin"])


def _shown(batch: Batch) -> dict[str, Any]:
    whose = {"owner": batch.owner, "key_id": batch.key_id, "user": batch.acts_for, "app": batch.app}
    return {**batch.public(), **whose}


@router.get("")
def list_batches(
    auditor: Auditor, services: TheServices, after: str | None = None, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> dict[str, Any]:
    """All batches, newest first; ``next`` is the cursor of the following page."""
    found = services.batches.store.page(None, after=after, limit=limit + 1)
    following = found[limit - 1].id if len(found) > limit else None
    return {"object": "list", "data": [_shown(batch) for batch in found[:limit]], "next": following}


@router.post("/{batch_id}/cancel")
async def cancel(batch_id: str, services: TheServices, run: Run) -> dict[str, Any]:
    """Stop a batch of any team. Lines under way end; the results so far are kept for its owner."""
    store = services.batches.store

    def stop() -> Batch:
        batch = store.get(batch_id, None)
        if not store.stop(batch.id, "cancelled") and batch.status not in ("cancelling", "cancelled"):
            raise Conflict(f"The batch is {batch.status}; it cannot be cancelled.", code="batch_ended")
        return store.get(batch_id, None)

    batch: Batch = await run("batch.cancel", batch_id, {}, stop)
    services.batches.wake()
    return _shown(batch)
