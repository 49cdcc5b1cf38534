"""Bodies are encrypted, bound to their record, and unreadable without the right keys."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.crypto import Signer, Vault
from kakehashi.errors import ConfigError, IntegrityError

MASTER = bytes(range(32))


@given(body=st.binary(max_size=500), bound_to=st.text(max_size=40))
def test_what_is_encrypted_comes_back_and_shows_nothing(body: bytes, bound_to: str) -> None:
    vault = Vault(MASTER)
    cipher = vault.cipher("team/2026-11-23", vault.new_key("team/2026-11-23"))
    blob = vault.encrypt(cipher, body, bound_to)
    assert vault.decrypt(cipher, blob, bound_to) == body
    if len(body) > 8:
        assert body not in blob


def test_a_body_moved_to_another_record_is_refused() -> None:
    vault = Vault(MASTER)
    cipher = vault.cipher("k", vault.new_key("k"))
    with pytest.raises(IntegrityError, match="belongs to another record"):
        vault.decrypt(cipher, vault.encrypt(cipher, "給与".encode(), "w:1"), "w:2")


def test_a_data_key_opens_only_with_its_master_and_under_its_name() -> None:
    wrapped = Vault(MASTER).new_key("a/2026-11-23")
    with pytest.raises(IntegrityError):
        Vault(bytes(32)).cipher("a/2026-11-23", wrapped)
    with pytest.raises(IntegrityError):
        Vault(MASTER).cipher("b/2026-11-23", wrapped)


def test_secret_files_are_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    first, again = Signer.open(tmp_path / "secrets"), Signer.open(tmp_path / "secrets")
    assert first.public_hex == again.public_hex
    path = tmp_path / "secrets" / "audit-signing.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["audit-signing.key"]


def test_a_damaged_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / "audit-master.key").write_bytes(b"short")
    with pytest.raises(ConfigError, match=r"audit-master\.key must hold 32 bytes"):
        Vault.open(tmp_path)


def test_signatures_hold_for_their_message_only(tmp_path: Path) -> None:
    signer = Signer.open(tmp_path)
    signature = signer.sign(b"head 7")
    assert signer.verifies(b"head 7", signature)
    assert not signer.verifies(b"head 8", signature)
    assert not signer.verifies(b"head 7", "zz")
