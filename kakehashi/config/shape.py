"""Unknown names and wrong values, all of them at once, with what was meant."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kakehashi.config.document import Key
from kakehashi.config.problems import Problem
from kakehashi.config.sources import Sources, every_setting, field_of, plain_model
from kakehashi.settings import Settings

_FIXES = {
    "int_parsing": "Write a whole number",
    "int_type": "Write a whole number",
    "int_from_float": "Write a whole number",
    "float_parsing": "Write a number",
    "float_type": "Write a number",
    "bool_parsing": "Write true or false",
    "bool_type": "Write true or false",
    "string_type": "Write a text; put a number or yes/no in quotes",
    "list_type": "Write a list: [one, two]",
    "dict_type": "Write a mapping: {name: value}",
    "model_type": "Write the section's settings below it, indented",
    "path_type": "Write the path of a file",
}


def problems(sources: Sources) -> list[Problem]:
    """Every name that does not exist and every value of a wrong kind, from both sources.

    The sources are judged one by one: what the environment overrides is still wrong in the file.
    """
    in_file = Sources(sources.document)
    found = [*_judged(in_file, sources.document.values), *_judged(sources, sources.environment)]
    return found or list(_judged(sources, sources.merged()))


def _judged(sources: Sources, values: dict[str, Any]) -> Iterator[Problem]:
    try:
        plain_model().model_validate(values)
    except ValidationError as error:
        for detail in error.errors():
            yield _problem(sources, detail)


def _problem(sources: Sources, detail: ErrorDetails) -> Problem:
    key: Key = tuple(detail["loc"])
    if detail["type"] == "extra_forbidden":
        variable = sources.origin(key).variable
        fix = _meant_variable(variable) if variable else _meant(key)
        return sources.problem("error", key, "There is no such setting.", fix, name=True)
    return sources.problem("error", key, f"{detail['msg']}.", _advice(key, detail))


def _meant_variable(variable: str) -> str:
    known = ["KAKEHASHI_" + "__".join(map(str, setting)).upper() for setting, _ in every_setting()]
    close = get_close_matches(variable.upper(), known, 1, 0.6)
    return f"Did you mean {close[0]}?" if close else "Remove it; kakehashi config show lists what there is."


def _meant(key: Key) -> str:
    """The nearest name: in the same section, or the same name in another."""
    name, dotted = str(key[-1]), ".".join(map(str, key))
    siblings = _siblings(key[:-1])
    if close := get_close_matches(name, siblings, 1, 0.6):
        return f"Did you mean {'.'.join([*map(str, key[:-1]), close[0]])}?"
    everywhere = [".".join(map(str, setting)) for setting, _ in every_setting()]
    if same := [other for other in everywhere if other.rpartition(".")[2] == name]:
        return f"Did you mean {' or '.join(same[:3])}?"
    if close := get_close_matches(dotted, everywhere, 1, 0.8):
        return f"Did you mean {close[0]}?"
    return f"Remove it. Known here: {', '.join(sorted(siblings))}." if siblings else "Remove it."


def _siblings(above: Key) -> list[str]:
    model: Any = Settings
    for part in above:
        field = model.model_fields.get(str(part)) if isinstance(model, type) and issubclass(model, BaseModel) else None
        model = field.annotation if field else None
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def choice(detail: ErrorDetails) -> str:
    """What was meant by a word that is none of those allowed."""
    expected = str(detail.get("ctx", {}).get("expected", ""))
    options = [option.strip("'") for option in expected.replace(" or ", ", ").split(", ")]
    close = get_close_matches(str(detail["input"]), options, 1, 0.5)
    return f"Did you mean {close[0]}?" if close else f"Choose one of: {', '.join(options)}."


def _advice(key: Key, detail: ErrorDetails) -> str:
    known = field_of(key)
    if detail["type"] == "literal_error":
        return choice(detail)
    advice = _FIXES.get(detail["type"], "Correct it")
    if known is not None and not known.is_required() and known.default_factory is None:
        advice += f"; the default is {known.default!r}" if known.default is not None else "; it may also be left out"
    meaning = known.description if known is not None and known.description else ""
    return f"{advice}." + (f" Meaning: {meaning}." if meaning else "")
