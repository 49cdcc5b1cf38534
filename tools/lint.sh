#!/usr/bin/env bash
# Style and strict types; changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff check .
.venv/bin/mypy
