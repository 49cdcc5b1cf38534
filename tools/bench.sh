#!/usr/bin/env bash
# Run every benchmark (python -m bench.NAME); arguments choose some by name.
set -euo pipefail
cd "$(dirname "$0")/.."
for folder in bench/*/; do
  name=$(basename "$folder")
  [ $# -gt 0 ] && [[ " $* " != *" $name "* ]] && continue
  [ -f "$folder/__main__.py" ] || continue
  echo "== $name"
  .venv/bin/python -m "bench.$name"
done
