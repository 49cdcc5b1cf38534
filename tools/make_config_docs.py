"""Write ``docs/configuration.md`` from the settings class (``python -m tools.make_config_docs``)."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic.fields import FieldInfo

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
"""


def _type(field: FieldInfo) -> str:
    text = str(field.annotation)
    if isinstance(field.annotation, type):
        text = field.annotation.__name__
    return text.replace("pathlib.Path", "Path").replace("typing.", "").replace("|", "or")


def _row(section: str, name: str, field: FieldInfo) -> str:
    key = f"{section}.{name}" if section else name
    variable = "KAKEHASHI_" + key.upper().replace(".", "__")
    default = repr(field.default) if field.default is not None else "–"
    return f"| `{key}` | `{variable}` | {_type(field)} | `{default}` | {field.description or ''} |"


def page() -> str:
    """The whole page as Markdown."""
    table = ["| key | environment | type | default | meaning |", "|---|---|---|---|---|"]
    parts = [HEAD]
    top = [_row("", n, f) for n, f in Settings.model_fields.items() if not _is_section(f)]
    parts.append("\n".join(["## General", "", *table, *top]))
    for name, field in Settings.model_fields.items():
        if _is_section(field):
            model = field.annotation
            rows = [_row(name, n, f) for n, f in model.model_fields.items()]  # type: ignore[union-attr]
            parts.append("\n".join([f"## `{name}`", "", (model.__doc__ or "").strip(), "", *table, *rows]))
    return "\n\n".join(p.strip() for p in parts) + "\n"


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


if __name__ == "__main__":
    PAGE.write_text(page())
