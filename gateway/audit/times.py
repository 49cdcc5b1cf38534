"""Times and days as people write them, made into the form in which the log holds them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from gateway.audit.clock import stamp
from kakehashi.errors import UsageError

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> str:
    """A span back from now (30m, 2h, 7d), an ISO date or time (UTC if it names no zone); "" stays "".

    Raises UsageError.
    """
    if not text:
        return ""
    if text[-1] in _UNITS and text[:-1].isdigit() and len(text) < 8:
        return stamp(datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])}))
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{text[:40]}' is no time.", hint="Write 2h, 7d, 2026-11-30 or 2026-11-30T09:00.") from None
    return stamp(parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC))


def day(text: str) -> str:
    """An ISO date. Raises UsageError."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"'{text[:40]}' is not a date.", hint="Write it as 2026-11-30.") from None
