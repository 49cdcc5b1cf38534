"""The apps' client of the gateway for one job: acts for the person who made the job, so that the audit names them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from apps.common.client import GatewayClient, read_key
from apps.common.jobs import JobInfo
from kakehashi.settings import Settings

App = Literal["minutes", "proposals"]


def key_file(loaded: Settings, app: App) -> Path:
    """Where the app's virtual key lies."""
    own = loaded.minutes if app == "minutes" else loaded.proposals
    return own.key_file or loaded.home.secrets / f"{app}.key"


def client(loaded: Settings, app: App, info: JobInfo) -> GatewayClient:
    """Raises NotReady when the app has no key yet."""
    own = loaded.minutes if app == "minutes" else loaded.proposals
    return GatewayClient(
        loaded.gateway_base_url(own),
        read_key(key_file(loaded, app)),
        model=own.model,
        app=app,
        job=info.id,
        user=info.user,
        vouched=info.vouched,
        timeout_s=own.request_timeout_s,
        parallel=own.parallel,
    )
