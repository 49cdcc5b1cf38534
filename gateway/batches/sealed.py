"""Contents under a data key of their own: sealed for the database, opened for their owner.

The key lies wrapped by the same master key as those of the audit log. When the row that holds it is deleted, what it
sealed can never be read again, wherever copies of it may lie.
"""

from __future__ import annotations

from typing import Any

from gateway.audit.crypto import Vault


class Seal:
    """Seals and opens the parts of one file or batch; each part is bound to its place."""

    def __init__(self, vault: Vault, id_: str, wrapped: bytes) -> None:
        self._vault, self._id = vault, id_
        self._cipher: Any = vault.cipher(id_, wrapped)

    def seal(self, part: bytes, place: int) -> bytes:
        return self._vault.encrypt(self._cipher, part, f"{self._id}:{place}")

    def open(self, sealed: bytes, place: int) -> bytes:
        """Raises IntegrityError for a part that was changed or lies elsewhere."""
        return self._vault.decrypt(self._cipher, sealed, f"{self._id}:{place}")
