#!/usr/bin/env bash
# Resolve the locked requirements anew: newest versions that fit, every file with its hash, no host names.
set -euo pipefail
cd "$(dirname "$0")/.."
find_links=$(.venv/bin/python -m pip config get global.find-links 2>/dev/null || true)
index=${KAKEHASHI_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
torch=(--index "$index" --index-strategy unsafe-best-match)
[ -n "$find_links" ] && torch=(--find-links "$find_links")
options=(--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --python-version 3.11 -q)
compile() { .venv/bin/uv pip compile "${options[@]}" "$@"; }
everything=(--extra gateway --extra minutes --extra proposals --universal)

compile requirements/uv.in --universal -o requirements/uv.lock "${@}"
compile pyproject.toml requirements/main.in "${everything[@]}" -o requirements/main.lock "${@}"
compile pyproject.toml requirements/main.in requirements/dev.in -c requirements/main.lock "${everything[@]}" \
  -o requirements/dev.lock "${@}"
# What the CPU engine leaves out: see requirements/engine-cpu.in.
compile requirements/engine-cpu.in "${torch[@]}" --no-emit-package torchvision --no-emit-package torchaudio \
  --no-emit-package torchcodec --no-emit-package triton -o requirements/engine-cpu.lock "${@}"
compile requirements/engine-gpu.in -o requirements/engine-gpu.lock "${@}"
