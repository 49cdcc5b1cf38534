"""Encryption of bodies (AES-256-GCM, a data key per tenant and day) and signatures of chain heads (Ed25519).

Data keys are stored wrapped by a master key. Deleting a data key erases the bodies of that tenant and day for good; the
chain covers the ciphertext, so it still verifies (retention, right to erasure).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kakehashi.errors import ConfigError, IntegrityError, UsageError

NONCE_BYTES = 12


def _secret_file(path: Path, make: bytes) -> bytes:
    """Read a 32-byte secret; create it (mode 600, without ever being readable by others) when there is none.

    Two processes or threads may start at once: the loser of the exclusive creation reads the winner's file.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    if not path.exists():
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(make)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    secret = path.read_bytes()
    if len(secret) != 32:
        raise ConfigError(f"{path.name} must hold 32 bytes, it holds {len(secret)}.", hint="Restore it from a backup.")
    return secret


class Vault:
    """Encrypts and decrypts with wrapped data keys. Knows no storage: wrapped keys come and go as bytes."""

    def __init__(self, master: bytes) -> None:
        self._master = AESGCM(master)

    @classmethod
    def open(cls, secrets: Path) -> Vault:
        return cls(_secret_file(secrets / "audit-master.key", AESGCM.generate_key(bit_length=256)))

    def new_key(self, key_id: str) -> bytes:
        """A fresh data key, wrapped for storage and bound to its id."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._master.encrypt(nonce, AESGCM.generate_key(bit_length=256), key_id.encode())

    def cipher(self, key_id: str, wrapped: bytes) -> AESGCM:
        """The cipher of a wrapped data key. Raises IntegrityError if the master key or the id is not the right one."""
        try:
            return AESGCM(self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id.encode()))
        except InvalidTag as error:
            raise IntegrityError(f"Data key {key_id} cannot be unwrapped: wrong master key or changed.") from error

    @staticmethod
    def encrypt(cipher: AESGCM, body: bytes, bound_to: str) -> bytes:
        """Nonce and ciphertext, bound to the record (``bound_to``) so that bodies cannot be swapped."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + cipher.encrypt(nonce, body, bound_to.encode())

    @staticmethod
    def decrypt(cipher: AESGCM, blob: bytes, bound_to: str) -> bytes:
        try:
            return cipher.decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], bound_to.encode())
        except InvalidTag as error:
            raise IntegrityError(f"The body of {bound_to} was changed or belongs to another record.") from error


class Signer:
    """Signs chain heads with this installation's Ed25519 key (RFC 8032)."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key()

    @classmethod
    def open(cls, secrets: Path) -> Signer:
        fresh = Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return cls(_secret_file(secrets / "audit-signing.key", fresh))

    @property
    def public_hex(self) -> str:
        return self._public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def sign(self, message: bytes) -> str:
        return self._key.sign(message).hex()

    def verifies(self, message: bytes, signature: str) -> bool:
        return _verifies(self._public, message, signature)


class Verifier:
    """Checks signatures by public keys alone, on a machine that has no secrets: the auditor's."""

    def __init__(self, public_keys: Sequence[str]) -> None:
        """``public_keys``: 64 hexadecimal digits each (`kakehashi audit key`). Raises UsageError."""
        try:
            self._keys = [Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)) for key in public_keys]
        except ValueError:
            raise UsageError(
                "A public key has 64 hexadecimal digits.", hint="`kakehashi audit key` shows it."
            ) from None

    def verifies(self, message: bytes, signature: str) -> bool:
        return any(_verifies(key, message, signature) for key in self._keys)


def _verifies(key: Ed25519PublicKey, message: bytes, signature: str) -> bool:
    try:
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
