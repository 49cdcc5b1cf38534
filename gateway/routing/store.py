"""Routes and adapters set at run time, in the gateway's database. Synchronous; every statement has bound parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gateway.errors import Conflict, NotFound
from gateway.routing.tables import ADAPTERS, ROUTES
from gateway.storage.database import available


@dataclass(frozen=True, slots=True)
class StoredRoute:
    """``body``: as ``gateway.routes`` has it in the configuration file."""

    alias: str
    body: Mapping[str, Any]
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class StoredAdapter:
    """``wanted``: it shall be loaded on every engine; else it was withdrawn."""

    name: str
    digest: str
    wanted: bool
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything that was set at run time, as of one moment."""

    routes: Mapping[str, StoredRoute] = field(default_factory=dict)
    adapters: Mapping[str, StoredAdapter] = field(default_factory=dict)


class RoutingStore:
    """What admins set at run time."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def read(self) -> Stored:
        """All of it. Raises Unavailable."""
        with available(), self._engine.connect() as connection:
            routes = [StoredRoute(*row) for row in connection.execute(sa.select(ROUTES))]
            adapters = [StoredAdapter(*row) for row in connection.execute(sa.select(ADAPTERS))]
        return Stored({row.alias: row for row in routes}, {row.name: row for row in adapters})

    def put_route(self, alias: str, body: Mapping[str, Any], by: str) -> None:
        """Raises Unavailable."""
        values = {"body": dict(body), "changed_at": datetime.now(UTC), "changed_by": by[:200]}
        with available(), self._engine.begin() as connection:
            if connection.execute(sa.update(ROUTES).where(ROUTES.c.alias == alias).values(values)).rowcount:
                return
        self._insert(ROUTES, {"alias": alias, **values}, f"The route '{alias}'")

    def delete_route(self, alias: str) -> None:
        """Raises NotFound, Unavailable."""
        with available(), self._engine.begin() as connection:
            if not connection.execute(sa.delete(ROUTES).where(ROUTES.c.alias == alias)).rowcount:
                raise NotFound(f"The route '{alias[:200]}' was not set at run time.", code="route_not_set")

    def want(self, name: str, digest: str, by: str) -> None:
        """Have an adapter loaded from now on. Raises Conflict for a name that stands for other weights, Unavailable."""
        values = {"wanted": True, "changed_at": datetime.now(UTC), "changed_by": by[:200]}
        with available(), self._engine.begin() as connection:
            known = connection.execute(sa.select(ADAPTERS.c.digest).where(ADAPTERS.c.name == name)).scalar()
            if known is not None and known != digest:
                raise Conflict(
                    f"The name '{name}' stands for other weights. Give the new ones a name of their own.",
                    code="adapter_changed",
                )
            if known is not None:
                connection.execute(sa.update(ADAPTERS).where(ADAPTERS.c.name == name).values(values))
                return
        self._insert(ADAPTERS, {"name": name, "digest": digest, **values}, f"The adapter '{name}'")

    def withdraw(self, name: str, by: str) -> None:
        """Raises NotFound, Unavailable."""
        values = {"wanted": False, "changed_at": datetime.now(UTC), "changed_by": by[:200]}
        change = sa.update(ADAPTERS).where(ADAPTERS.c.name == name).values(values)
        with available(), self._engine.begin() as connection:
            if not connection.execute(change).rowcount:
                raise NotFound(f"The adapter '{name[:120]}' is not known.", code="adapter_not_known")

    def _insert(self, table: sa.Table, row: Mapping[str, Any], what: str) -> None:
        try:
            with available(), self._engine.begin() as connection:
                connection.execute(sa.insert(table).values(**row))
        except IntegrityError:
            raise Conflict(f"{what} was set by somebody else in this moment.", code="changed_meanwhile") from None
