"""Progress and cancelling, as every long task of the apps reports it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called by a pipeline between steps. ``fraction`` is 0 to 1 over the whole job, ``eta_s`` seconds left if known.

    Cancelling works through it: an implementation raises :class:`kakehashi.errors.Cancelled` when the user has stopped
    the job; what is already saved stays.
    """

    def __call__(self, stage: str, fraction: float, *, eta_s: float | None = None, detail: str = "") -> None: ...


def silent(stage: str, fraction: float, *, eta_s: float | None = None, detail: str = "") -> None:
    """A Progress that tells nobody (null object for tests and libraries)."""
