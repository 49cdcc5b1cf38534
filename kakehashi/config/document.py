"""A YAML file as plain values that remember where they stand. Knows nothing of settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Key = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Place:
    """Line and column, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Flaw:
    """What makes a text no proper document, and how to mend it."""

    place: Place
    message: str
    fix: str
    key: Key = ()


@dataclass
class Document:
    """``values`` is a mapping also where the file is empty or broken; ``keys`` and ``leaves`` are the places of names and
    of what stands behind them."""

    file: Path
    values: dict[str, Any] = field(default_factory=dict)
    keys: dict[Key, Place] = field(default_factory=dict)
    leaves: dict[Key, Place] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)

    def place(self, key: Key, *, name: bool = False) -> Place | None:
        """Where a key stands (``name``: the key itself, else its value), or what is nearest above it."""
        for length in range(len(key), 0, -1):
            first, second = (self.keys, self.leaves) if name or length < len(key) else (self.leaves, self.keys)
            if found := first.get(key[:length]) or second.get(key[:length]):
                return found
        return None


def read(file: Path) -> Document:
    """The document in a file. Never raises for what the file holds: that becomes flaws. OSError if it cannot be read."""
    document = Document(file)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        document.flaws.append(Flaw(Place(line, 1), "The file is not UTF-8 text.", "Save it as UTF-8."))
        return document
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        document.flaws.append(_syntax(error))
        return document
    if node is None:
        return document
    document.flaws += _duplicates(node, ())
    if not isinstance(node, yaml.MappingNode):
        document.flaws.append(Flaw(_start(node), "The file must be a mapping of sections.", "Write 'section:' lines."))
        return document
    try:
        document.values = yaml.load(text, Loader=yaml.SafeLoader) or {}
    except yaml.YAMLError as error:  # unknown tags and impossible keys show only here
        document.flaws.append(_syntax(error))
        return document
    _note(node, (), document)
    return document


def _start(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _syntax(error: yaml.YAMLError) -> Flaw:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
    problem = str(getattr(error, "problem", None) or error)
    if "\\t" in problem or "'\t'" in problem:
        return Flaw(place, "A tab stands where YAML wants spaces.", "Indent with spaces.")
    return Flaw(place, f"Not valid YAML: {problem}.", _advice(problem, getattr(error, "context", None) or ""))


def _advice(problem: str, context: str) -> str:
    if "mapping values are not allowed" in problem:
        return "Put a value that holds ': ' in quotes, and check the indentation."
    if "expected ',' or" in problem or "flow" in context:
        return "Close the bracket that was opened."
    if "could not find expected ':'" in problem:
        return "Write 'name: value', with a blank after the colon."
    if "quoted scalar" in context:
        return "Close the quotation mark."
    if "constructor for the tag" in problem:
        return "Leave out the '!…' tag."
    return "Compare the indentation with the lines above."


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            yield key.value, key, value


def _duplicates(node: yaml.Node, above: Key) -> Iterator[Flaw]:
    """YAML would let the last one win without a word."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, Place] = {}
        for name, key, value in _pairs(node):
            if name in seen and name != "<<":
                message = f"'{name}' stands here a second time; the first is in line {seen[name].line}."
                yield Flaw(_start(key), message, "Keep one of them.", (*above, name))
            seen.setdefault(name, _start(key))
            yield from _duplicates(value, (*above, name))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _duplicates(item, (*above, index))


def _note(node: yaml.Node, above: Key, document: Document) -> None:
    document.leaves.setdefault(above, _start(node))
    if isinstance(node, yaml.MappingNode):
        for name, key, value in _pairs(node):
            if name == "<<":  # what is merged in stands where it was written first
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    _note(merged, above, document)
                continue
            document.keys[*above, name] = _start(key)
            document.leaves.pop((*above, name), None)
            _note(value, (*above, name), document)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note(item, (*above, index), document)
