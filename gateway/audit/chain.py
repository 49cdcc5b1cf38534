"""The hash chain, as pure functions: each entry's hash covers its canonical JSON and the hash before it.

Canonical JSON here is UTF-8, keys sorted, no white space (the subset of RFC 8785 that our entries need: they hold
strings, integers, booleans, null and rounded decimals). The stored text itself is hashed, so verifying never depends on
writing JSON the same way twice.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

GENESIS = "0" * 64


def canonical(entry: dict[str, Any]) -> bytes:
    """Canonical JSON bytes of an entry."""
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


def embedded(data: bytes) -> orjson.Fragment:
    """Canonical JSON to stand as a value inside another entry, without being read again."""
    return orjson.Fragment(data)


def link(previous: str, entry: bytes) -> str:
    """SHA-256 (hex) over the previous hash and the canonical entry."""
    return hashlib.sha256(previous.encode() + b"\n" + entry).hexdigest()
