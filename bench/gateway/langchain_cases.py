"""LangChain's standard integration tests for chat models, on the server that the environment names.

``KAKEHASHI_BENCH_URL`` (…/v1), ``KAKEHASHI_BENCH_KEY`` and ``KAKEHASHI_BENCH_MODEL``: where, and as whom. Answers are taken
at temperature 0, so that a model without sense fails the same tests on both sides.
"""

from __future__ import annotations

import os
from typing import Any

from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


class TestStandard(ChatModelIntegrationTests):
    """What the engine cannot do (pictures, sound, PDF) is left at the suite's own default: not asked."""

    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": os.environ["KAKEHASHI_BENCH_MODEL"],
            "base_url": os.environ["KAKEHASHI_BENCH_URL"],
            "api_key": os.environ["KAKEHASHI_BENCH_KEY"],
            "temperature": 0,
            "max_tokens": 96,
            "seed": 1,
            "stream_usage": True,
            "max_retries": 0,
        }

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return os.environ["KAKEHASHI_BENCH_MODEL"]
