"""``GET /docs``: the OpenAPI document as one plain page. No script, nothing fetched: it works without the internet."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733 }
code, pre { font-family: ui-monospace, monospace; font-size: .9em }
pre { background: #f3f5f7; padding: 1rem; overflow: auto }
details { border-top: 1px solid #d5dbe1; padding: .5rem 0 }
summary { cursor: pointer }
b { display: inline-block; width: 4.5rem }
"""
_HELLO = """from openai import OpenAI
client = OpenAI(base_url="{base}/v1", api_key="kk_…")
answer = client.chat.completions.create(model="default", messages=[{{"role": "user", "content": "こんにちは"}}])
print(answer.choices[0].message.content)"""


def page(schema: dict[str, Any], base: str) -> str:
    """The page. ``base``: the address under which the reader sees the gateway."""
    info = schema["info"]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        "<p>Any OpenAI client works: set its base URL and a virtual key. "
        'Machine-readable: <a href="openapi.json">openapi.json</a>.</p>',
        f"<pre>{escape(_HELLO.format(base=base))}</pre>",
        *_operations(schema),
        "</body></html>",
    ]
    return "\n".join(parts)


def _operations(schema: dict[str, Any]) -> Iterator[str]:
    for path, methods in sorted(schema["paths"].items()):
        for method, operation in methods.items():
            yield (
                f"<details><summary><b>{escape(method.upper())}</b><code>{escape(path)}</code> "
                f"{escape(operation.get('summary', ''))}</summary>"
                f"<p>{escape(operation.get('description', ''))}</p>{_fields(operation)}</details>"
            )


def _fields(operation: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    names = [f"<code>{escape(name)}</code>" for name in body.get("properties", {})]
    names += [f"<code>{escape(parameter['name'])}</code>" for parameter in operation.get("parameters", ())]
    return f"<p>Fields: {', '.join(names)}</p>" if names else ""
