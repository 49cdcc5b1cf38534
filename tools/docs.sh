#!/usr/bin/env bash
# Generate what the docs take from the code, then run the tests that keep docs and code together.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/python -m tools.make_config_docs
.venv/bin/python -m tools.make_schemas
.venv/bin/python -m pytest -q tests/unit/test_docs.py tests/unit/test_contracts.py
