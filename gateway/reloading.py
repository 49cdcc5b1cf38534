"""Reading the settings again, and letting hold at once what can hold without a restart.

Everything new is built before anything is exchanged, so an error leaves all of the old in force. Requests under way
keep the route, the policy and the price they began with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.guardrails.current import CurrentPolicy
from gateway.guardrails.types import Guardrails
from gateway.identity.keyring import KeyRing
from gateway.identity.store import IdentityStore
from gateway.ledger.prices import Prices, price_table
from gateway.ledger.store import Ledger
from gateway.limits.meter import Meter
from gateway.limits.spec import Limits, Rules
from gateway.routing.table import RoutingTable, routing_table, speech_table
from kakehashi.errors import ConfigError
from kakehashi.settings import GatewaySettings, Settings

_LOG = logging.getLogger("gateway.reload")
# What of section gateway takes effect by a reload; everything else needs a restart, and is named.
_ROUTING = frozenset(
    """upstream upstream_api_key_file upstreams models routes attempts retry_share breaker_failures breaker_open_s
    breaker_longest_s max_in_flight priority_scheduling connect_timeout_s first_byte_timeout_s idle_timeout_s
    total_timeout_s speech speech_api_key_file speech_models speech_timeout_s""".split()
)
RELOADED = _ROUTING | {"policy", "limits", "prices"}


@dataclass(frozen=True)
class Reloaded:
    """``changed``: settings that hold now; ``restart``: changed ones that need a restart; ``policy``: the one in force."""

    changed: tuple[str, ...]
    restart: tuple[str, ...]
    policy: str

    def public(self) -> dict[str, Any]:
        return {"object": "reload", "changed": self.changed, "restart_needed": self.restart, "policy": self.policy}


class Course(Protocol):
    """Whatever a routing table steers (``gateway.routing.steering.Steering``, ``gateway.api.services.Speech``)."""

    async def configure(self, table: RoutingTable) -> None:
        """From the next request on, this table holds."""


@dataclass(frozen=True)
class Parts:
    """What is exchanged."""

    identity: IdentityStore
    keys: KeyRing
    meter: Meter
    ledger: Ledger
    policy: CurrentPolicy
    steering: Course
    speech: Course


@dataclass(frozen=True)
class _New:
    """All that the new settings make."""

    settings: Settings
    table: RoutingTable
    speech: RoutingTable
    rules: Rules
    prices: Prices
    policy: Guardrails


class Reloader:
    """``read``: the settings anew; ``load``: the guardrails of a gateway's settings. Both raise ConfigError."""

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        read: Callable[[], Settings],
        load: Callable[[GatewaySettings], Guardrails],
    ) -> None:
        self._settings, self._parts, self._read, self._load = settings, parts, read, load
        self._turn = asyncio.Lock()

    async def reload(self) -> Reloaded:
        """Raises ConfigError and NotReady, and then nothing has changed; Unavailable when the database cannot be read."""
        async with self._turn:
            new = await asyncio.to_thread(self._build)
            parts = self._parts
            await parts.steering.configure(new.table)
            await parts.speech.configure(new.speech)
            parts.meter.configure(new.rules, new.prices)
            parts.policy.policy = new.policy
            parts.keys.forget()
            before, self._settings = self._settings, new.settings
            told = self._told(before, new.settings)
            _LOG.info("Reloaded: %s; policy %s", ", ".join(told.changed) or "nothing has changed", told.policy)
            if told.restart:
                _LOG.warning("A restart is needed for %s", ", ".join(told.restart))
            return told

    def _build(self) -> _New:
        settings = self._read()
        gateway = settings.gateway
        limits = {name: Limits(**section.model_dump()) for name, section in gateway.limits.items()}
        new = _New(
            settings,
            routing_table(settings),
            speech_table(settings),
            Rules.of(limits),
            Prices(price_table(gateway.prices)),
            self._load(gateway),
        )
        self._check_profiles(new.policy)
        self._parts.ledger.remember(new.prices)
        return new

    def _check_profiles(self, policy: Guardrails) -> None:
        """Raises ConfigError for a policy without a profile that keys or teams have: they could do nothing any more."""
        identity, current = self._parts.identity, self._parts.policy
        used = {key.profile for key in identity.keys() if key.revoked_at is None}  # noqa: SIM118 - no dict
        used |= {team.profile for team in identity.teams()}
        lost = [name for name in sorted(filter(None, used)) if _has(current, name) and not _has(policy, name)]
        if lost:
            raise ConfigError(
                f"The policy {policy.ref} has no profile '{lost[0]}', which keys or teams use.",
                hint="Keep the profile, or change those keys and teams first.",
            )

    def _told(self, before: Settings, after: Settings) -> Reloaded:
        changed = [
            f"gateway.{name}" for name in _differing(before.gateway, after.gateway, GatewaySettings.model_fields)
        ]
        now = tuple(name for name in changed if name.removeprefix("gateway.") in RELOADED)
        restart = [name for name in changed if name not in now]
        others = [name for name in Settings.model_fields if name != "gateway"]
        restart += _differing(before, after, others)
        return Reloaded(now, tuple(sorted(restart)), self._parts.policy.ref)


def _has(policy: Guardrails, profile: str) -> bool:
    try:
        policy.request(profile)
    except ConfigError:
        return False
    return True


def _differing(before: object, after: object, names: Iterable[str] | Mapping[str, Any]) -> list[str]:
    return sorted(name for name in names if getattr(before, name) != getattr(after, name))


def again(settings: Settings, load: Callable[[], Settings]) -> Callable[[], Settings]:
    """A way to read the settings anew under which what the command line gave at the start still stands."""
    first, given = load(), settings.gateway
    fixed = {name: getattr(given, name) for name in _differing(first.gateway, given, GatewaySettings.model_fields)}

    def read() -> Settings:
        fresh = load()
        return fresh.model_copy(update={"gateway": fresh.gateway.model_copy(update=fixed)})

    return read
