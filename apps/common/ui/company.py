"""Company accounts by Streamlit's own OpenID Connect login: its settings made from ours, its result handed to the gateway.

Streamlit keeps the provider's tokens in cookies it signs; the ID token in them becomes a session of the gateway, which
verifies it again. Nothing of the provider is trusted here.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from streamlit.auth_util import encode_provider_token, get_cookie_with_chunks
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import TOKENS_COOKIE_NAME, USER_COOKIE_NAME

from apps.common.jobs.folder import write_atomic
from kakehashi.errors import ConfigError
from kakehashi.settings import AppSettings, CompanySignInSettings

PROVIDER = "default"


def auth_section(company: CompanySignInSettings, own: AppSettings, port: int, folder: Path) -> dict[str, Any]:
    """Streamlit's ``[auth]`` section. Raises ConfigError when the secret cannot be read."""
    try:
        secret = company.client_secret_file.read_text().strip()
    except OSError as error:
        raise ConfigError(f"company.client_secret_file cannot be read: {error.strerror}.") from error
    address = (own.public_url or f"http://{own.host}:{port}").rstrip("/")
    return {
        "redirect_uri": f"{address}/oauth2callback",
        "cookie_secret": _cookie_secret(folder / "app-cookies.key"),
        "client_id": company.client_id,
        "client_secret": secret,
        "server_metadata_url": company.issuer.rstrip("/") + "/.well-known/openid-configuration",
        "client_kwargs": {"scope": company.scope},
    }


def _cookie_secret(path: Path) -> str:
    """Signs Streamlit's cookies; all apps of this home have the same one."""
    if not path.exists():
        write_atomic(path, secrets.token_urlsafe(32).encode())  # readable by the owner only
    return path.read_text().strip()


def provider_token() -> str:
    """What Streamlit's ``/auth/login`` wants to know of the provider."""
    return str(encode_provider_token(PROVIDER))


def id_token(request: Request) -> str | None:
    """The ID token in Streamlit's cookies, whose signature is checked; None without one."""

    def cookie(name: str) -> bytes | None:
        value = request.cookies.get(name)
        return decode_signed_value(get_cookie_secret(), name, value.encode("latin-1")) if value else None

    stored = get_cookie_with_chunks(cookie, TOKENS_COOKIE_NAME)
    token = json.loads(stored).get("id_token") if stored else None
    return token if isinstance(token, str) else None


def forget(request: Request, answer: Response) -> None:
    """Take Streamlit's cookies away, or signing out would sign in again."""
    for name in request.cookies:
        if name.startswith((USER_COOKIE_NAME, TOKENS_COOKIE_NAME)):
            answer.delete_cookie(name)
