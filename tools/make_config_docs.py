"""Write ``docs/configuration.md`` from the settings class (``python -m tools.make_config_docs``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from kakehashi.paths import CHECKOUT
from kakehashi.settings import Settings

PAGE = CHECKOUT / "docs" / "configuration.md"
HEAD = """# Configuration

Made from `kakehashi/settings.py` by `python -m tools.make_config_docs`; do not edit.

Every setting has a default that needs no server. Set others in `$KAKEHASHI_HOME/config.yaml` (default `./var/config.yaml`)
or in the environment; the environment wins. Unknown keys are errors that name the key.

```yaml
# var/config.yaml
language: ja
engine: {model: "http://gpu-server:8000/v1"}
gateway: {port: 8080, redis_url: "redis://valkey:6379/0"}
```

Beside these, `KAKEHASHI_HOME` names the directory that holds all state.

```bash
kakehashi config check              # every error at once: file, line, column, fix; exit code 2 (--json for CI)
kakehashi config check --connect    # also asks the servers that the settings name
kakehashi config show --changed     # what is in force and where it comes from; passwords hidden
kakehashi config explain gateway.idle_timeout_s
```

The check also reads the guardrail policy (errors with its own lines), files that are missing or open to others, ports used
twice and combinations that cannot work; those are refused at the start of every part too.
"""


def _type(field: FieldInfo) -> str:
    text = str(field.annotation)
    if isinstance(field.annotation, type):
        text = field.annotation.__name__
    text = re.sub(r"kakehashi\.settings\.\w+", "section", text)
    return text.replace("pathlib.Path", "Path").replace("typing.", "").replace("|", "or")


def _row(section: str, name: str, field: FieldInfo) -> str:
    key = f"{section}.{name}" if section else name
    variable = "KAKEHASHI_" + key.upper().replace(".", "__")
    default = repr(field.default) if field.default not in (None, PydanticUndefined) else "–"
    return f"| `{key}` | `{variable}` | {_type(field)} | `{default}` | {field.description or ''} |"


def page() -> str:
    """The whole page as Markdown."""
    table = ["| key | environment | type | default | meaning |", "|---|---|---|---|---|"]
    parts = [HEAD]
    top = [_row("", n, f) for n, f in Settings.model_fields.items() if not _is_section(f)]
    parts.append("\n".join(["## General", "", *table, *top]))
    for name, model in _sections("", Settings):
        rows = [_row(name, n, f) for n, f in model.model_fields.items()]
        parts.append("\n".join([f"## `{name}`", "", (model.__doc__ or "").strip(), "", *table, *rows]))
    return "\n\n".join(p.strip() for p in parts) + "\n"


def _sections(above: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The sections inside a model, by their full names, those that may be left out too."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield above + name, kind
                yield from _sections(f"{above}{name}.", kind)


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


if __name__ == "__main__":
    PAGE.write_text(page())
