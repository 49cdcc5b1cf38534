"""``kakehashi config check``: everything that is wrong, at once, each with its place and a way to mend it."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kakehashi.config import rules, shape
from kakehashi.config.document import Key
from kakehashi.config.problems import Problem, Severity
from kakehashi.config.sources import Sources, every_setting, gather, plain_model
from kakehashi.errors import KakehashiError
from kakehashi.paths import Home
from kakehashi.settings import Settings

_ORDER: dict[Severity, int] = {"error": 0, "warning": 1}
_SECRET_NAMES = ("key_file", "headers_file")


def check(file: Path, environment: Mapping[str, str], home: Home) -> tuple[Sources, list[Problem]]:
    """What was read, and every problem: those of the file by line, then those of the environment. Touches nothing."""
    sources = gather(file, environment)
    found = [*sources.unreadable]
    found += [
        Problem("error", flaw.message, flaw.fix, ".".join(map(str, flaw.key)), file, flaw.place)
        for flaw in sources.document.flaws
    ]
    found += shape.problems(sources)
    settings = usable(sources)
    for finding in rules.combinations(settings):
        key = tuple(finding.key.split("."))
        found.append(sources.problem(finding.severity, key, finding.message, finding.fix))
    found += [*_values(sources, settings), *_files(sources, settings), *_secrets(home), *_open_file(sources)]
    return sources, sorted(dict.fromkeys(found), key=_rank)


def _rank(problem: Problem) -> tuple[Any, ...]:
    place = (problem.place.line, problem.place.column) if problem.place else (0, 0)
    return (problem.file is None, str(problem.file), place, problem.variable, _ORDER[problem.severity])


def usable(sources: Sources) -> Settings:
    """The settings as far as they are right: what is wrong falls back to its default, so that the rest can be judged."""
    values = sources.merged()
    for _ in range(1000):
        try:
            sound = plain_model().model_validate(values)
        except ValidationError as error:
            for detail in error.errors():
                _drop(values, tuple(detail["loc"]))
        else:
            return Settings.model_construct(**{name: getattr(sound, name) for name in Settings.model_fields})
    raise AssertionError("a wrong value could not be dropped")


def _drop(values: dict[str, Any], key: Key) -> None:
    """Take away the deepest part of a key that is there."""
    for length in range(len(key), 0, -1):
        holder: Any = values
        for part in key[: length - 1]:
            holder = holder.get(part) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and key[length - 1] in holder:
            del holder[key[length - 1]]
            return
    values.clear()


# -- what single values must be -----------------------------------------------------------------------------------------


def _values(sources: Sources, settings: Settings) -> Iterator[Problem]:
    """Values of the right type that the parts themselves would refuse: URLs, the model, the policy."""
    for key, judge in _judges(settings).items():
        try:
            judge()
        except KakehashiError as error:
            message = error.message.removeprefix(f"{key} ").removeprefix(f"{key}: ")
            fix = error.hint or f"Correct it; kakehashi config explain {key} says what it means."
            yield sources.problem("error", tuple(key.split(".")), message, fix)
    yield from _policy(settings)


def _judges(settings: Settings) -> dict[str, Callable[[], object]]:
    """Setting → the function of its part that raises for a value it cannot use. Imported here: each belongs to a part."""
    from gateway.routing.addresses import base_url
    from gateway.telemetry.otlp import traces_url
    from serving.source import parse

    gateway = settings.gateway
    judges: dict[str, Callable[[], object]] = {"engine.model": lambda: parse(settings.engine.model)}
    if (upstream := gateway.upstream) is not None:
        judges["gateway.upstream"] = lambda: base_url(upstream)
    if (endpoint := gateway.otlp_endpoint) is not None:
        judges["gateway.otlp_endpoint"] = lambda: traces_url(endpoint)
    for key, value in _addresses(settings):
        judges[key] = lambda key=key, value=value: _address(key, value)  # type: ignore[misc]
    return judges


_SCHEMES = {
    "gateway.database_url": ("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://"),
    "gateway.redis_url": ("redis://", "rediss://", "unix://"),
    "jobs_database_url": ("postgresql://", "postgres://", "postgresql+psycopg://"),
    "gateway_url": ("http://", "https://"),
}


def _addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    for key, _ in every_setting():
        dotted = ".".join(map(str, key))
        if dotted in _SCHEMES or str(key[-1]) in _SCHEMES:
            value = value_of(settings, key)
            if isinstance(value, str):
                yield dotted, value


def _address(key: str, value: str) -> None:
    allowed = _SCHEMES.get(key) or _SCHEMES[key.rpartition(".")[2]]
    if not value.startswith(allowed):
        raise KakehashiError(
            "The address is of a kind that cannot be used.", hint=f"Begin it with {' or '.join(allowed)}."
        )


def value_of(settings: Settings, key: Key) -> Any:
    """The value in force of a setting."""
    value: Any = settings
    for part in key:
        value = getattr(value, str(part))
    return value


def _policy(settings: Settings) -> Iterator[Problem]:
    """The guardrail policy file, with the lines of its own."""
    file = settings.gateway.policy
    if file is None or not file.is_file():
        return
    from gateway.guardrails.policy import Policy
    from kakehashi.config.document import read

    document = read(file)
    if document.flaws:
        yield from (Problem("error", f.message, f.fix, "gateway.policy", file, f.place) for f in document.flaws)
        return
    try:
        policy = Policy.model_validate(document.values)
        for name in policy.profiles:
            policy.profile(name)
    except ValidationError as error:
        for detail in error.errors():
            key: Key = tuple(detail["loc"])
            unknown = detail["type"] == "extra_forbidden"
            message = "There is no such key." if unknown else f"{detail['msg'].removeprefix('Value error, ')}."
            place = document.place(key, name=unknown)
            fix = shape.choice(detail) if detail["type"] == "literal_error" else "See docs/guardrails.md."
            dotted = ".".join(str(part) for part in key if part != "[key]")
            yield Problem("error", message, fix, dotted, file, place)
    except KakehashiError as error:
        yield Problem("error", error.message, error.hint, "profiles", file, document.place(("profiles",)))


# -- files --------------------------------------------------------------------------------------------------------------


def _files(sources: Sources, settings: Settings) -> Iterator[Problem]:
    """Files that settings name: there, readable, and secrets closed to others."""
    for key, _ in every_setting():
        file = value_of(settings, key)
        if not isinstance(file, Path):
            continue
        secret = str(key[-1]).endswith(_SECRET_NAMES)
        problem = _state(file, secret=secret)
        if problem:
            severity, message, fix = problem
            yield sources.problem(severity, key, message, fix)


def _state(file: Path, *, secret: bool) -> tuple[Severity, str, str] | None:
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            return "error", f"{file} is no file.", "Name a file."
        with file.open("rb") as opened:
            empty = not opened.read(4096).strip()
    except FileNotFoundError:
        return "error", f"There is no file {file}.", f"Create it, or correct the path (it is read from {Path.cwd()})."
    except OSError as error:
        return "error", f"{file} cannot be read: {error.strerror}.", "Let the gateway's user read it."
    if empty:
        return "error", f"{file} is empty.", "Put the key in it." if secret else "Fill it, or leave the setting out."
    return _closed(file, mode) if secret else None


def _closed(file: Path, mode: int) -> tuple[Severity, str, str] | None:
    if mode & stat.S_IRWXO:
        return "error", f"Everybody on this machine can read {file}, which holds a secret.", f"chmod 600 {file}"
    if mode & stat.S_IRWXG:
        return "warning", f"The file's group can read {file}, which holds a secret.", f"chmod 600 {file}"
    return None


def _secrets(home: Home) -> Iterator[Problem]:
    """Our own secrets: what has been opened to others by a copy or a backup."""
    folder = home.secrets
    if not folder.is_dir():
        return
    for file in [folder, *sorted(folder.iterdir())]:
        found = _closed(file, file.stat().st_mode)
        if found:
            severity, message, fix = found
            yield Problem(severity, message, fix.replace("600", "700") if file is folder else fix, file=file)


def _open_file(sources: Sources) -> Iterator[Problem]:
    """Passwords in addresses inside a file that others can read."""
    file = sources.document.file
    if not file.is_file() or not file.stat().st_mode & stat.S_IRWXO:
        return
    for key, _ in every_setting():
        value: Any = sources.document.values
        for part in key:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str) and hidden(value) != value:
            message = "A password stands here, and everybody on this machine can read the file."
            yield sources.problem("error", key, message, f"chmod 600 {file}, or use {variable_of(key)}.")


def hidden(value: str) -> str:
    """An address without its password."""
    head, separator, rest = value.partition("://")
    userinfo, at, host = rest.rpartition("@")
    if not separator or not at or ":" not in userinfo:
        return value
    return f"{head}://{userinfo.partition(':')[0]}:••••@{host}"


def variable_of(key: Key) -> str:
    """The environment variable of a setting."""
    return "KAKEHASHI_" + "__".join(str(part).upper() for part in key)
