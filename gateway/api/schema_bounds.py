"""Bounds on what a client may ask the engine to compile: JSON schemas, regular expressions, grammars.

vLLM compiles them in the engine's process, for everybody: vllm#17313 and CVE-2025-48943 (a bad regex stops the engine),
CVE-2025-48942 (a bad schema does), CVE-2025-48944 (a bad ``pattern`` or ``type`` in a tool kills the worker), CVE-2025-57809
(xgrammar: endless recursion by nesting). Structural tags are not taken: regexes and schemas nested in a form of their own.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from gateway.errors import BadRequest

SCHEMA_DEPTH = 64  # levels of JSON: an object in an object takes two or three
SCHEMA_NODES = 20_000
SCHEMA_COUNT = 10_000  # minItems, maxItems, minLength, maxLength …: each is unrolled into the grammar
REGEX_LENGTH = 1_000
REGEX_COUNT = 1_000
GRAMMAR_LENGTH = 20_000
CHOICES = 1_000
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_REPEAT = re.compile(r"\{(\d+)?(?:,(\d+)?)?\}")
# Below these keys names are the client's own or values are data: "type" or "pattern" there is no keyword.
_NAMES = frozenset({"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"})
_DATA = frozenset({"enum", "const", "default", "examples", "required"})


def check_schema(schema: Any, where: str) -> None:
    """Refuse a JSON schema that is too deep, too large, or malformed where the engine would stumble."""
    if not isinstance(schema, dict | bool):
        raise BadRequest(f"{where} must be a JSON schema (an object).", param=where)
    nodes = 0
    stack: list[tuple[Any, int, str]] = [(schema, 1, "schema")]
    while stack:
        node, depth, kind = stack.pop()
        nodes += 1
        if depth > SCHEMA_DEPTH or nodes > SCHEMA_NODES:
            limit = f"{SCHEMA_DEPTH} levels deep" if depth > SCHEMA_DEPTH else f"{SCHEMA_NODES} parts large"
            raise BadRequest(f"{where} is more than {limit}.", code="schema_too_large", param=where)
        if isinstance(node, list):
            stack.extend((item, depth + 1, kind) for item in node)
        elif isinstance(node, dict):
            if kind == "schema":
                _check_keywords(node, where)
            stack.extend((value, depth + 1, _kind(kind, name)) for name, value in node.items())


def _kind(parent: str, name: str) -> str:
    """What lies below a key: a schema, names of schemas, or plain data."""
    if parent == "data" or (parent == "schema" and name in _DATA):
        return "data"
    return "names" if parent == "schema" and name in _NAMES else "schema"


def _check_keywords(node: dict[str, Any], where: str) -> None:
    kinds = node.get("type")
    if kinds is not None and not _known_types(kinds):
        raise BadRequest(f"{where} has an unknown 'type'.", code="invalid_schema", param=where)
    if "pattern" in node:
        check_regex(node["pattern"], f"{where}.pattern")
    for pattern in node.get("patternProperties") or ():
        check_regex(pattern, f"{where}.patternProperties")
    for name in _COUNTS & node.keys():
        count = node[name]
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= SCHEMA_COUNT:
            raise BadRequest(f"{where}: {name} must be 0 to {SCHEMA_COUNT}.", code="schema_too_large", param=where)


def _known_types(kinds: Any) -> bool:
    listed = kinds if isinstance(kinds, list) else [kinds]
    return all(isinstance(kind, str) and kind in _TYPES for kind in listed)


def check_regex(pattern: Any, where: str) -> None:
    """Refuse a regular expression that is long, repeats without measure, or is unbalanced."""
    if not isinstance(pattern, str):
        raise BadRequest(f"{where} must be a text.", code="invalid_regex", param=where)
    if len(pattern) > REGEX_LENGTH:
        raise BadRequest(f"{where} is longer than {REGEX_LENGTH} characters.", code="regex_too_large", param=where)
    counts = [int(number) for match in _REPEAT.finditer(pattern) for number in match.groups() if number]
    if any(count > REGEX_COUNT for count in counts):
        raise BadRequest(f"{where} repeats more than {REGEX_COUNT} times.", code="regex_too_large", param=where)
    bare = re.sub(r"\\.", "", pattern, flags=re.DOTALL)
    classless = re.sub(r"\[\^?\]?[^\]]*\]", "", bare)
    if classless.count("(") != classless.count(")") or "[" in classless:
        raise BadRequest(f"{where} is not a valid regular expression.", code="invalid_regex", param=where)


def check_response_format(value: Any, where: str = "response_format") -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise BadRequest(f"{where}.type must be text, json_object or json_schema.", param=f"{where}.type")
    if kind == "json_schema":
        described = value.get("json_schema")
        if not isinstance(described, dict) or "schema" not in described:
            raise BadRequest(f"{where}.json_schema.schema is missing.", param=f"{where}.json_schema")
        check_schema(described["schema"], f"{where}.json_schema.schema")


def check_structured_outputs(value: Any, where: str = "structured_outputs") -> None:
    """vLLM's own form: json, regex, choice, grammar, json_object and two switches."""
    if not isinstance(value, dict):
        raise BadRequest(f"{where} must be an object.", param=where)
    checks = {
        "json": check_json,
        "regex": check_regex,
        "choice": check_choice,
        "grammar": check_grammar,
        "whitespace_pattern": check_regex,
    }
    switches = ("json_object", "disable_any_whitespace", "disable_additional_properties")
    for name, part in value.items():
        if part is None:
            continue
        if name in checks:
            checks[name](part, f"{where}.{name}")
        elif name not in switches:
            raise BadRequest(f"{where}.{name} is not accepted.", param=f"{where}.{name}")


def check_json(value: Any, where: str) -> None:
    """A schema, perhaps as text."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise BadRequest(f"{where} is not valid JSON.", code="invalid_schema", param=where) from None
    check_schema(value, where)


def check_choice(value: Any, where: str) -> None:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise BadRequest(f"{where} must be a list of texts.", param=where)
    if len(value) > CHOICES or sum(map(len, value)) > GRAMMAR_LENGTH:
        raise BadRequest(f"{where} has too many choices.", code="schema_too_large", param=where)


def check_grammar(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise BadRequest(f"{where} must be a text.", param=where)
    depth = deepest = 0
    for character in value[: GRAMMAR_LENGTH + 1]:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    if len(value) > GRAMMAR_LENGTH or deepest > SCHEMA_DEPTH:
        raise BadRequest(f"{where} is too large.", code="grammar_too_large", param=where)


def check_tools(tools: Any, where: str = "tools") -> None:
    """At most 128 functions, each with a sound schema of its parameters."""
    if not isinstance(tools, list) or len(tools) > 128:
        raise BadRequest(f"{where} must be a list of at most 128 tools.", param=where)
    for index, tool in enumerate(tools):
        here = f"{where}[{index}]"
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise BadRequest(f"{here} must be {{'type': 'function', 'function': {{'name': …}}}}.", param=here)
        if function.get("parameters") is not None:
            check_schema(function["parameters"], f"{here}.function.parameters")


def check_text_options(value: Any, where: str = "text") -> None:
    """``text`` of a Responses request: the answer's format, whose schema lies one level higher than in chat."""
    form = value.get("format") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(form, dict | None):
        raise BadRequest(f"{where} must be an object with a 'format'.", param=where)
    kind = (form or {}).get("type", "text")
    if kind not in ("text", "json_object", "json_schema"):
        raise BadRequest(f"{where}.format.type must be text, json_object or json_schema.", param=f"{where}.format.type")
    if form is not None and kind == "json_schema":
        check_schema(form.get("schema"), f"{where}.format.schema")


def check_flat_tools(tools: Any, where: str = "tools") -> None:
    """Tools of a Responses request: functions, free-form tools, and namespaces of them; each runs at the client.

    Hosted tools (web search, code interpreter, MCP servers …) are refused: the engine would reach out for a client.
    """
    if not isinstance(tools, list) or len(tools) > 128:
        raise BadRequest(f"{where} must be a list of at most 128 tools.", param=where)
    for index, tool in enumerate(tools):
        here = f"{where}[{index}]"
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind not in ("function", "custom", "namespace") or not isinstance(tool.get("name"), str):
            message = (
                f"{here} must be {{'type': 'function', 'name': …}}; tools that run at the server are not accepted."
            )
            raise BadRequest(message, code="unsupported_parameter", param=here)
        if kind == "namespace":
            if where != "tools":
                raise BadRequest(f"{here}: a namespace holds no namespaces.", param=here)
            check_flat_tools(tool.get("tools"), f"{here}.tools")
        if kind == "custom" and (tool.get("format") or {"type": "text"}) != {"type": "text"}:
            raise BadRequest(f"{here}.format: only free-form text is accepted.", param=f"{here}.format")  # as in vLLM
        if tool.get("parameters") is not None:
            check_schema(tool["parameters"], f"{here}.parameters")


def check_messages_tools(tools: Any, where: str = "tools") -> None:
    """Tools of a Messages request: functions that run at the client; those of a vendor's own (by ``type``) do not."""
    if not isinstance(tools, list) or len(tools) > 128:
        raise BadRequest(f"{where} must be a list of at most 128 tools.", param=where)
    for index, tool in enumerate(tools):
        here = f"{where}[{index}]"
        if (
            not isinstance(tool, dict)
            or not isinstance(tool.get("name"), str)
            or tool.get("type", "custom") != "custom"
        ):
            message = f"{here} must be {{'name': …, 'input_schema': …}}; tools that run at the server are not accepted."
            raise BadRequest(message, code="unsupported_parameter", param=here)
        check_schema(tool.get("input_schema"), f"{here}.input_schema")


def check_output_config(value: Any, where: str = "output_config") -> None:
    """Effort and format of a Messages answer."""
    form = value.get("format") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(form, dict | None):
        raise BadRequest(f"{where} must be an object.", param=where)
    if form is not None:
        check_schema(form.get("schema"), f"{where}.format.schema")
