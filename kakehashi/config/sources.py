"""Where settings come from: the file and the environment, each with what it says and where it says it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from kakehashi.config.document import Document, Key, Place, read
from kakehashi.config.problems import Problem, Severity
from kakehashi.settings import Section, Settings

PREFIX = "KAKEHASHI_"
# Variables of ours that are no settings.
OTHERS = {"KAKEHASHI_HOME", "KAKEHASHI_SUPERVISED", "KAKEHASHI_NO_SYSTEM_PACKAGES", "KAKEHASHI_TORCH_INDEX",
          "KAKEHASHI_URL", "KAKEHASHI_KEY", "KAKEHASHI_TEST_POSTGRES", "KAKEHASHI_TEST_REDIS",
          "KAKEHASHI_TEST_ENGINE_URL"}  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """Where a value in force comes from; neither file nor variable: it is the default."""

    file: Path | None = None
    place: Place | None = None
    variable: str = ""

    def __str__(self) -> str:
        if self.variable:
            return self.variable
        if self.file is not None:
            return f"{self.file.name}:{self.place.line}" if self.place else self.file.name
        return "default"


@dataclass
class Sources:
    """The file and the environment, read but not yet judged."""

    document: Document
    environment: dict[str, Any] = field(default_factory=dict)
    variables: dict[Key, str] = field(default_factory=dict)
    unreadable: list[Problem] = field(default_factory=list)

    def merged(self) -> dict[str, Any]:
        """Both together; the environment wins, key by key."""
        return _merge(self.document.values, self.environment)

    def origin(self, key: Key, *, name: bool = False) -> Origin:
        for length in range(len(key), 0, -1):
            if variable := self.variables.get(key[:length]):
                return Origin(variable=variable)
        inside = next((v for k, v in self.variables.items() if k[: len(key)] == key), None)
        if key in self.document.keys or key in self.document.leaves or not inside:
            place = self.document.place(key, name=name)
            return Origin(self.document.file, place) if place else Origin()
        return Origin(variable=inside)

    def problem(self, severity: Severity, key: Key, message: str, fix: str, *, name: bool = False) -> Problem:
        """A problem at the place where the setting was set."""
        found = self.origin(key, name=name)
        dotted = ".".join(map(str, key))
        return Problem(severity, message, fix, dotted, found.file, found.place, found.variable)


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def gather(file: Path, environment: Mapping[str, str]) -> Sources:
    """Read the file, if there is one, and the variables that name settings. Raises OSError."""
    sources = Sources(read(file) if file.exists() else Document(file))
    for variable, text in sorted(environment.items()):
        if variable.upper().startswith(PREFIX) and variable.upper() not in OTHERS:
            _take(sources, variable, text)
    return sources


def _take(sources: Sources, variable: str, text: str) -> None:
    key: Key = tuple(variable.upper().removeprefix(PREFIX).lower().split("__"))
    if len(key) == 1 and key[0] not in Settings.model_fields:
        message = "This variable has our prefix but is no setting."
        fix = "Settings of a section are written KAKEHASHI_SECTION__KEY, with two underscores."
        sources.unreadable.append(Problem("warning", message, fix, variable=variable))
        return
    sources.variables[key] = variable
    field = field_of(key)
    value: Any = None if text == "null" else text
    if field is not None and value is not None and _is_complex(field):
        try:
            value = json.loads(text)
        except ValueError:
            example = '{"default": "qwen"}' if dict in _kinds(field.annotation) else '["one", "two"]'
            message, fix = "The value is not valid JSON.", f"Lists and mappings are JSON here, such as {example}."
            sources.unreadable.append(Problem("error", message, fix, ".".join(map(str, key)), variable=variable))
            return
    target = sources.environment
    for part in key[:-1]:
        below = target.setdefault(str(part), {})
        if not isinstance(below, dict):
            return  # a section given as a whole and in parts: the whole one is judged
        target = below
    target[str(key[-1])] = value


def _kinds(annotation: Any) -> set[Any]:
    """The plain types that an annotation allows."""
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*(_kinds(part) for part in get_args(annotation)))
    return {get_origin(annotation) or annotation}


def _is_complex(field: FieldInfo) -> bool:
    return any(
        kind in (dict, list, set, tuple) or (isinstance(kind, type) and issubclass(kind, BaseModel))
        for kind in _kinds(field.annotation)
    )


# -- the settings themselves ------------------------------------------------------------------------------------------


@cache
def plain_model() -> type[BaseModel]:
    """The settings as a model that reads nothing but what it is given."""
    fields: dict[str, Any] = {name: (field.annotation, field) for name, field in Settings.model_fields.items()}
    return create_model("Plain", __base__=Section, **fields)


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a section."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def field_of(key: Key) -> FieldInfo | None:
    """The field that a key names; None for one that does not exist, or that is no single setting."""
    model: type[BaseModel] | None = Settings
    info: FieldInfo | None = None
    for part in key:
        if model is None:
            return None
        info = model.model_fields.get(str(part))
        model = section_of(info) if info else None
    return info


def every_setting(model: type[BaseModel] = Settings, above: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """All settings, sections opened."""
    for name, info in model.model_fields.items():
        inner = section_of(info)
        if inner is None:
            yield (*above, name), info
        else:
            yield from every_setting(inner, (*above, name))
