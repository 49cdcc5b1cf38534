"""The routing configuration as one checked value: upstreams to be, plans by alias. Built from settings, then swapped in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.routing.addresses import base_url
from gateway.routing.breaker import Breaker, BreakerPolicy
from gateway.routing.plan import Plan, Shadow, Target, Timeouts
from gateway.routing.pool import Pool
from gateway.routing.upstream import Upstream
from gateway.storage.secrets import read_secret
from kakehashi.errors import ConfigError
from kakehashi.settings import GatewaySettings, RouteSettings, Settings, UpstreamSettings

ENGINE = "engine"  # the upstream of gateway.upstream, and of this machine's own engine


@dataclass(frozen=True)
class UpstreamSpec:
    """One upstream as configured. Two equal ones are the same upstream: a reload keeps its connections and health."""

    name: str
    url: str
    api_key: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 5.0
    weight: float = 1.0
    max_in_flight: int | None = None
    priorities: bool = False
    adapters_dir: str | None = None
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)

    def make(self) -> Upstream:
        return Upstream(
            self.name,
            self.url,
            self.api_key,
            connect_timeout_s=self.connect_timeout_s,
            weight=self.weight,
            max_in_flight=self.max_in_flight,
            priorities=self.priorities,
            adapters_dir=self.adapters_dir,
            breaker=Breaker(self.breaker),
        )


@dataclass(frozen=True)
class RoutingTable:
    """Everything that decides where a request goes."""

    upstreams: tuple[UpstreamSpec, ...]
    plans: Mapping[str, Plan]
    timeouts: Timeouts
    attempts: int
    retry_share: float

    @property
    def names(self) -> set[str]:
        """Of the upstreams."""
        return {spec.name for spec in self.upstreams}


def routing_table(settings: Settings) -> RoutingTable:
    """From the settings. Raises ConfigError that names the setting."""
    gateway = settings.gateway
    plans = {alias: Plan(alias, (Target(model),)) for alias, model in gateway.models.items()}
    table = RoutingTable(
        upstreams=_upstreams(settings),
        plans=plans,
        timeouts=_timeouts(gateway),
        attempts=gateway.attempts,
        retry_share=gateway.retry_share,
    )
    for alias, route in gateway.routes.items():
        if alias in plans:
            raise ConfigError(f"'{alias}' is in gateway.models and in gateway.routes.", hint="Keep one of the two.")
        plans[alias] = plan_of(alias, route, table)
    return table


def speech_table(settings: Settings) -> RoutingTable:
    """The speech engines: this machine's worker, or the one of ``gateway.speech``. Raises ConfigError."""
    gateway, worker = settings.gateway, settings.speech
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(worker.host, worker.host)  # noqa: S104 - compared, not bound
    url = base_url(gateway.speech or f"http://{host}:{worker.port}/v1")
    key = _api_key(gateway.speech_api_key_file, "gateway.speech_api_key_file")
    upstream = UpstreamSpec("speech", url, key, gateway.connect_timeout_s, breaker=_breaker(gateway))
    return RoutingTable(
        upstreams=(upstream,),
        plans={alias: Plan(alias, (Target(model),)) for alias, model in gateway.speech_models.items()},
        timeouts=Timeouts(gateway.speech_timeout_s, gateway.speech_timeout_s),
        attempts=gateway.attempts,
        retry_share=gateway.retry_share,
    )


def _timeouts(gateway: GatewaySettings) -> Timeouts:
    return Timeouts(gateway.first_byte_timeout_s, gateway.idle_timeout_s, gateway.total_timeout_s)


def plan_of(alias: str, route: RouteSettings, table: RoutingTable) -> Plan:
    """A route as it is configured, among the table's upstreams. Raises ConfigError."""
    upstreams = table.names
    where = f"gateway.routes.{alias}"
    targets = tuple(
        Target(t.model, t.weight, frozenset(t.upstreams) if t.upstreams is not None else None) for t in route.targets
    )
    models = [target.model for target in targets]
    if len(set(models)) < len(models):
        raise ConfigError(f"{where}.targets names a model twice.", hint="Give each model one weight.")
    if not any(target.weight > 0 for target in targets):
        raise ConfigError(f"{where}.targets have no weight above 0.")
    for target in targets:
        if unknown := sorted((target.upstreams or frozenset()) - upstreams):
            raise ConfigError(
                f"{where}.targets names the upstream '{unknown[0]}', which is not configured.",
                hint=f"Upstreams are: {', '.join(sorted(upstreams))}.",
            )
    if alias in route.fallbacks:
        raise ConfigError(f"{where}.fallbacks names the route itself.")
    return Plan(
        alias,
        targets,
        sticky=route.sticky,
        fallbacks=tuple(route.fallbacks),
        fallback_scope=route.fallback_scope,
        shadow=Shadow(route.shadow.model, route.shadow.share) if route.shadow else None,
        retry_on=frozenset(route.retry_on),
        timeouts=_route_timeouts(route, table.timeouts),
    )


def _route_timeouts(route: RouteSettings, general: Timeouts) -> Timeouts | None:
    own = {
        "first_byte_s": route.first_byte_timeout_s,
        "idle_s": route.idle_timeout_s,
        "total_s": route.total_timeout_s,
    }
    given = {name: value for name, value in own.items() if value is not None}
    return replace(general, **given) if given else None


def _upstreams(settings: Settings) -> tuple[UpstreamSpec, ...]:
    gateway = settings.gateway
    if not gateway.upstreams:
        return (_engine(settings),)
    if gateway.upstream is not None:
        raise ConfigError("gateway.upstream and gateway.upstreams are both set.", hint="Keep one of the two.")
    specs = tuple(_spec(upstream, gateway) for upstream in gateway.upstreams)
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise ConfigError("gateway.upstreams names one of them twice.", hint="Give each a name of its own.")
    return specs


def _spec(upstream: UpstreamSettings, gateway: GatewaySettings) -> UpstreamSpec:
    try:
        url = base_url(upstream.url)
    except ConfigError as error:
        raise ConfigError(f"gateway.upstreams '{upstream.name}': {error.message}", hint=error.hint) from error
    return UpstreamSpec(
        upstream.name,
        url,
        _api_key(upstream.api_key_file, f"gateway.upstreams '{upstream.name}': api_key_file"),
        connect_timeout_s=gateway.connect_timeout_s,
        weight=upstream.weight,
        max_in_flight=upstream.max_in_flight,
        priorities=upstream.priority_scheduling,
        adapters_dir=str(upstream.adapters_dir) if upstream.adapters_dir else None,
        breaker=_breaker(gateway),
    )


def _engine(settings: Settings) -> UpstreamSpec:
    gateway, engine = settings.gateway, settings.engine
    url = gateway.upstream
    if url is None:
        external = engine.model.startswith(("http://", "https://"))
        url = engine.model if external else f"http://{engine.host}:{engine.port}/v1"
    key = _api_key(gateway.upstream_api_key_file, "gateway.upstream_api_key_file")
    return UpstreamSpec(
        ENGINE,
        base_url(url),
        key,
        connect_timeout_s=gateway.connect_timeout_s,
        max_in_flight=gateway.max_in_flight,
        priorities=_schedules_by_priority(settings),
        breaker=_breaker(gateway),
    )


def _breaker(gateway: GatewaySettings) -> BreakerPolicy:
    return BreakerPolicy(gateway.breaker_failures, gateway.breaker_open_s, gateway.breaker_longest_s)


def _api_key(file: Path | None, setting: str) -> str | None:
    if file is None:
        return None
    key = read_secret(file, setting)
    if not key.isascii() or not key.isprintable() or not key:
        raise ConfigError(f"{setting} holds no key.")
    return key


class Members:
    """The living upstreams of a table: equal specifications keep their upstream, with its connections and health."""

    def __init__(self, table: RoutingTable) -> None:
        self._known: dict[UpstreamSpec, Upstream] = {}
        self.first = self.of(table.upstreams)

    def of(self, specs: Sequence[UpstreamSpec]) -> list[Upstream]:
        self._known = {spec: self._known.get(spec) or spec.make() for spec in specs}
        return list(self._known.values())

    async def move(self, pool: Pool, table: RoutingTable) -> None:
        """Have a pool work by another table from now on."""
        await pool.exchange(self.of(table.upstreams))
        pool.configure(table.timeouts, table.attempts, table.retry_share)


def _schedules_by_priority(settings: Settings) -> bool:
    """Whether the engine knows priorities: this machine's own does, unless it is started otherwise."""
    gateway, engine = settings.gateway, settings.engine
    if gateway.priority_scheduling is not None:
        return gateway.priority_scheduling
    own = gateway.upstream is None and not engine.model.startswith(("http://", "https://"))
    return own and not any(argument.startswith("--scheduling-policy") for argument in engine.extra_args)
