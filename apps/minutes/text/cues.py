"""The cue patterns of one language, read from ``cues_<language>.yaml`` and compiled once."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import yaml

from kakehashi.errors import ConfigError

_MACRO = re.compile(r"<([a-z]+)>")


@dataclass(frozen=True)
class Cues:
    """One compiled pattern per thing a sentence can do; the field names are the keys of the file."""

    decide: re.Pattern[str]
    decide_weak: re.Pattern[str]
    approve: re.Pattern[str]
    revise: re.Pattern[str]
    confirm: re.Pattern[str]
    propose: re.Pattern[str]
    reported: re.Pattern[str]
    hypothetical: re.Pattern[str]
    negated: re.Pattern[str]
    question: re.Pattern[str]
    request: re.Pattern[str]
    procedural: re.Pattern[str]
    opening: re.Pattern[str]
    commit: re.Pattern[str]
    strong_commit: re.Pattern[str]
    offer: re.Pattern[str]
    not_a_task: re.Pattern[str]
    accept: re.Pattern[str]
    decline: re.Pattern[str]
    withdraw: re.Pattern[str]
    defer: re.Pattern[str]
    unknown: re.Pattern[str]
    pending: re.Pattern[str]
    dissent: re.Pattern[str]
    not_dissent: re.Pattern[str]
    next_meeting: re.Pattern[str]
    topic: re.Pattern[str]
    agenda_overview: re.Pattern[str]
    anaphora: re.Pattern[str]
    chair: re.Pattern[str]
    open_call: re.Pattern[str]


CUES = tuple(f.name for f in fields(Cues))


@lru_cache
def cues(language: str) -> Cues:
    """The patterns for ``ja`` or ``en``. Raises ConfigError naming the cue whose pattern is wrong or missing."""
    path = Path(__file__).with_name(f"cues_{language}.yaml")
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    macros: dict[str, str] = {}
    for name, pattern in data["macros"].items():
        macros[name] = _expand(pattern, macros)
    if set(data["cues"]) != set(CUES):
        raise ConfigError(f"{path.name}: missing or unknown cues: {sorted(set(data['cues']) ^ set(CUES))}")
    return Cues(**{name: _compile(path.name, name, patterns, macros) for name, patterns in data["cues"].items()})


def _expand(pattern: str, macros: dict[str, str]) -> str:
    return _MACRO.sub(lambda m: f"(?:{macros[m[1]]})", pattern)


def _compile(file: str, name: str, patterns: list[str], macros: dict[str, str]) -> re.Pattern[str]:
    try:
        return re.compile("|".join(f"(?:{_expand(p, macros)})" for p in patterns), re.IGNORECASE)
    except re.error as error:
        raise ConfigError(f"{file}: cue '{name}' is not a regular expression: {error}") from error
