"""The limits that a key, a team, a model or everybody may have, and the levels they make for one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Protocol

from gateway.limits.window import Kind, Level, Scope, Window
from kakehashi.errors import ConfigError, UsageError

MICRO = 1_000_000  # micro-yen of a yen
_LARGEST = 10**12  # of any limit; what is above is a slip of the finger


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit. ``rpm``, ``tpm``: requests and tokens per minute; ``concurrency``: requests at one time; the rest
    are budgets, yen in whole yen."""

    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    yen_per_day: int | None = None
    yen_per_month: int | None = None

    def levels(self, scope: Scope, title: str) -> list[Level]:
        return [
            Level(scope, kind, window, limit * factor, title)
            for name, kind, window, factor in _LEVELS
            if (limit := getattr(self, name)) is not None
        ]


NO_LIMITS = Limits()
PRIORITY = {"low": 10, "normal": 0, "high": -10}  # for vLLM's scheduler: lower goes first
PRIORITIES = tuple(PRIORITY)
NAMES = tuple(field.name for field in fields(Limits))
_LEVELS: tuple[tuple[str, Kind, Window, int], ...] = (
    ("rpm", "requests", "minute", 1),
    ("tpm", "tokens", "minute", 1),
    ("concurrency", "concurrency", "now", 1),
    ("tokens_per_day", "tokens", "day", 1),
    ("tokens_per_month", "tokens", "month", 1),
    ("yen_per_day", "micro_yen", "day", MICRO),
    ("yen_per_month", "micro_yen", "month", MICRO),
)


def check(values: Mapping[str, int | None]) -> None:
    """Raises UsageError for a limit below 1 or absurdly large."""
    for name, value in values.items():
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1; leave it out for no limit.")
        if value is not None and value > _LARGEST:
            raise UsageError(f"{name} must be at most {_LARGEST}; leave it out for no limit.")


class Limited(Protocol):
    """A virtual key, as far as limits go."""

    @property
    def id(self) -> str: ...
    @property
    def team_id(self) -> str: ...
    @property
    def team(self) -> str: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def team_limits(self) -> Limits: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits by configuration: of everybody, of models, of each key or each team on a model."""

    everybody: Limits = NO_LIMITS
    models: Mapping[str, Limits] | None = None
    keys_on: Mapping[str, Limits] | None = None
    teams_on: Mapping[str, Limits] | None = None

    @classmethod
    def of(cls, configured: Mapping[str, Limits]) -> Rules:
        """From ``gateway.limits``. Raises ConfigError for a name that is none."""
        kinds: dict[str, dict[str, Limits]] = {"model": {}, "key+model": {}, "team+model": {}}
        for name, limits in configured.items():
            kind, _, model = name.partition(":")
            if name != "global" and (kind not in kinds or not model):
                raise ConfigError(
                    f"gateway.limits has '{name}'.",
                    hint="Name global, model:NAME, key+model:NAME (each key on it) or team+model:NAME.",
                )
            if model:
                kinds[kind][model] = limits
        return cls(configured.get("global", NO_LIMITS), kinds["model"], kinds["key+model"], kinds["team+model"])

    @property
    def none(self) -> bool:
        return self.everybody == NO_LIMITS and not (self.models or self.keys_on or self.teams_on)

    def levels(self, key: Limited, models: Iterable[str]) -> list[Level]:
        """``models``: the names of the model asked for, as asked and as resolved."""
        found = self.everybody.levels(Scope(), "gateway")
        for model in dict.fromkeys(models):
            for rules, scope, title in (
                (self.models, Scope(model=model), f"model '{model}'"),
                (self.keys_on, Scope(key=key.id, model=model), f"key on model '{model}'"),
                (self.teams_on, Scope(team=key.team_id, model=model), f"team '{key.team}' on model '{model}'"),
            ):
                if rules and model in rules and (scope.key or scope.team or rules is self.models):
                    found += rules[model].levels(scope, title)
        return found


def levels(key: Limited, models: Iterable[str], rules: Rules) -> tuple[Level, ...]:
    """All levels of a request, narrowest first: the first that refuses is the one that is told."""
    own = key.limits.levels(Scope(key=key.id), "key")
    team = key.team_limits.levels(Scope(team=key.team_id), f"team '{key.team}'") if key.team_id else []
    return (*own, *team, *(rules.levels(key, models) if not rules.none else ()))
