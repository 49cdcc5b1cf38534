#!/usr/bin/env bash
# Set up what the tests need, then lint, types and every test. Arguments go to pytest.
# Without arguments, at most three tests that failed get one second run by themselves, in a new process: thousands of tests
# with browsers and engines on two cores meet a stall of the machine now and then. They are named, never hidden: a test named
# twice is a fault to mend. More than three failures, or one that fails again, fail the whole.
set -euo pipefail
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" tools/setup.py --dev smollm2-135m whisper-base speaker
bash tools/services.sh
bash tools/lint.sh
[ $# -eq 0 ] || exec .venv/bin/python -m pytest "$@"

failed=$(mktemp) status=0
trap 'rm -f "$failed"' EXIT
.venv/bin/python -m pytest --failed-list="$failed" || status=$?
[ $status -eq 1 ] && [ "$(wc -l < "$failed")" -le 3 ] || exit $status
mapfile -t again < "$failed"
echo "Second run of: ${again[*]}"
.venv/bin/python -m pytest "${again[@]}"
echo "Passed only in the second run (mend them): ${again[*]}"
