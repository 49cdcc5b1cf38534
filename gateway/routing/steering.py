"""Where requests go, as of now: the configuration file's routes, over them those set at run time, and the adapters.

A change is one assignment: a request under way keeps the route it was given, the next one gets the new. Every replica
reads the database every ``POLL_S``; the one that was asked to change something reads it at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from gateway.errors import BadRequest, Conflict, Unavailable
from gateway.routing.adapters import AdapterFolder, is_adapter
from gateway.routing.plan import Plan
from gateway.routing.reconcile import Reconciler
from gateway.routing.router import NAME, Router
from gateway.routing.store import RoutingStore, Stored
from gateway.routing.table import Members, RoutingTable, plan_of
from kakehashi.errors import ConfigError
from kakehashi.settings import RouteSettings

_LOG = logging.getLogger("gateway.routing")
POLL_S = 0.4


@dataclass(frozen=True)
class InForce:
    """``refused``: routes set at run time that do not fit (any more), and why: the file's stand in their place."""

    stored: Stored = field(default_factory=Stored)
    plans: Mapping[str, Plan] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


class Steering:
    """Hand it the table of the configuration; :meth:`start` before requests come."""

    def __init__(
        self, table: RoutingTable, members: Members, router: Router, store: RoutingStore, folder: AdapterFolder
    ) -> None:
        self.table, self.router, self.store, self.folder = table, router, store, folder
        self._members = members
        self.reconciler = Reconciler(router.pool, folder)
        self.now = InForce(plans=table.plans)
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._lost = False  # the database could not be read

    async def start(self) -> None:
        """Raises Unavailable when the database cannot be read."""
        await self.refresh()
        await self.reconciler.start()
        self._task = asyncio.create_task(self._poll(), name="routes")

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.reconciler.close()

    async def refresh(self) -> None:
        """Read what was set, and let it hold. Raises Unavailable; then everything stays as it is."""
        async with self._turn:  # an older reading never comes after a newer one
            stored = await asyncio.to_thread(self.store.read)
            if stored != self.now.stored:
                self._apply(stored)
            self.reconciler.confirm()

    async def configure(self, table: RoutingTable) -> None:
        """From the next request on, another configuration holds; what was set at run time stands over it too."""
        async with self._turn:
            await self._members.move(self.router.pool, table)
            self.table = table
            self._apply(self.now.stored)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.refresh()
                self._lost = False
            except Unavailable as error:
                if not self._lost:
                    _LOG.error("Routes and adapters stay as they are: %s", error.message)
                self._lost = True

    def _apply(self, stored: Stored) -> None:
        plans, refused = dict(self.table.plans), {}
        for alias, route in stored.routes.items():
            try:
                plans[alias] = self.plan(alias, route.body)
            except ConfigError as error:
                refused[alias] = error.message
                _LOG.error("The route '%s' set at run time does not fit: %s", alias, error.message)
        wanted = {row.name: row.digest for row in stored.adapters.values() if row.wanted}
        withdrawn = frozenset(name for name, row in stored.adapters.items() if not row.wanted)
        self.now = InForce(stored, plans, refused)
        self.router.steer(plans, wanted, withdrawn)
        self.reconciler.aim(wanted, withdrawn)

    # -- what is asked to hold ----------------------------------------------------------------------------------------

    def plan(self, alias: str, body: Mapping[str, Any]) -> Plan:
        """A route as it was set. Raises ConfigError."""
        try:
            route = RouteSettings.model_validate(body)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"'{where}': {first['msg']}.") from error
        return plan_of(alias, route, self.table)

    def check(self, alias: str, route: RouteSettings) -> None:
        """Raises BadRequest, Conflict for a route that cannot be set."""
        if not NAME.fullmatch(alias) or ".." in alias:
            raise BadRequest(f"'{alias[:80]}' cannot be the name of a route.", code="invalid_route_name")
        plan = plan_of(alias, route, self.table)
        for model in sorted(plan.models()):
            adapter = self.now.stored.adapters.get(model)
            if is_adapter(model) and not (adapter and adapter.wanted):
                raise Conflict(
                    f"The adapter '{model}' is not among those to be loaded. PUT /admin/adapters/{model} first.",
                    code="adapter_not_wanted",
                )

    def used_by(self, model: str) -> list[str]:
        """The routes in force that can lead to a model."""
        return sorted(alias for alias, plan in self.now.plans.items() if model in plan.models())

    def unserved(self, models: Iterable[str]) -> list[str]:
        """Those that no engine has now: nothing is sent there until one does."""
        upstreams = [u for u in self.router.pool.upstreams if u.health.state == "up"]
        known = set(self.now.plans)
        return sorted(m for m in set(models) - known if not any(u.catalog.offers(m) for u in upstreams))
