#!/usr/bin/env bash
# Ask for known vulnerabilities of every locked package. Needs a network; installs nothing. Fails also where a package could not be asked about.
set -euo pipefail
cd "$(dirname "$0")/.."
for lock in requirements/*.lock; do
  echo "$lock"
  .venv/bin/pip-audit --requirement "$lock" --require-hashes --disable-pip --strict --progress-spinner off "$@"
done
