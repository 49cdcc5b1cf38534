"""An OpenAI-compatible server for the browser tests: answers any schema with its smallest valid instance, at once.

What the pipelines make of such answers is what they make of a weak model's: their rules and checks carry the job.
``delay_s`` holds every answer back, so that a test can catch a job in the middle.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def smallest(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """The smallest instance of a JSON schema, as far as our prompts use schemas."""
    root = root or schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return smallest(root["$defs"][name], root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return smallest(schema["anyOf"][-1], root)
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", schema.get("properties", {}))
            return {name: smallest(schema["properties"][name], root) for name in wanted}
        case "array":
            return [smallest(schema["items"], root) for _ in range(schema.get("minItems", 0))]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case "null":
            return None
    return "あ" * schema.get("minLength", 0)


class StubModel:
    """``with StubModel() as model: model.url``; ``asked`` counts questions."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.asked = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> StubModel:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        wanted = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        text = json.dumps(smallest(wanted), ensure_ascii=False) if wanted else ""
        message = {"role": "assistant", "content": text}
        return {
            "id": "c1", "object": "chat.completion", "created": 1, "model": "stub",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }  # fmt: skip

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(
                    {"object": "list", "data": [{"id": "stub", "object": "model", "created": 1, "owned_by": "us"}]}
                )

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                stub.asked += 1
                time.sleep(stub.delay_s)
                self.reply(stub.answer(body))

            def reply(self, content: dict[str, Any]) -> None:
                data = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return

        return Handler
