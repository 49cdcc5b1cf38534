#!/usr/bin/env bash
# Set up what the tests need, then lint, types and every test. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" tools/setup.py --dev smollm2-135m whisper-base speaker
bash tools/services.sh
bash tools/lint.sh
exec .venv/bin/python -m pytest "$@"
