"""Small random secrets in ``$KAKEHASHI_HOME/secrets``, made once and readable by the owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from kakehashi.errors import ConfigError

SIZE = 32


def secret_file(path: Path) -> bytes:
    """The secret in a file; made when there is none. Two processes may start at once: the first one's stays."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(SIZE))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was quicker
        finally:
            draft.unlink()
    secret = path.read_bytes()
    if len(secret) != SIZE:
        raise ConfigError(f"{path.name} must hold {SIZE} bytes.", hint="Restore it from a backup, or delete it.")
    return secret


def read_secret(file: Path, setting: str) -> str:
    """The text of a file that a setting names. Raises ConfigError."""
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{setting} cannot be read: {reason}.") from error
