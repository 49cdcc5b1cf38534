"""At the start of a gateway: the rows that dead processes left open are settled by the ledger's rule, once."""

from __future__ import annotations

import fcntl
import logging
from pathlib import Path

from gateway.ledger.prices import Prices
from gateway.ledger.store import Ledger

_LOG = logging.getLogger("gateway.ledger")


def recover(ledger: Ledger, prices: Prices, audit: object) -> None:
    """Before the first request: remember the price list, settle what was lost.

    ``audit``: the audit log; its writer's name is ours by a file lock, so an open row under it is of a dead process.
    """
    ledger.remember(prices)
    writer, folder = getattr(audit, "writer", ""), getattr(audit, "folder", None)
    lost = ledger.settle_lost(lambda name: name == writer or (folder is not None and released(folder, name)))
    if lost:
        _LOG.warning("%d requests of a process that was killed are charged their prompts, as estimated", lost)


def released(folder: Path, writer: str) -> bool:
    """Whether a writer of this installation runs no more: its lock can be taken. Others' writers are not judged."""
    path = folder / f"{writer}.lock"
    if not path.exists():
        return False
    with path.open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
