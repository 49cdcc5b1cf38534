.PHONY: help setup up down status logs test demo bench lint docs lock
PYTHON ?= python3
K := .venv/bin/kakehashi

help:   ## show this list
	@grep -E '^[a-z]+: +##' Makefile | sed -E 's/: +## +/\t/' | expand -t 10
setup:  ## environments, system packages where allowed, models
	@$(PYTHON) tools/setup.py
up:     setup
up:     ## set up and run everything until Ctrl-C
	@$(K) up
down:   ## stop everything
	@$(K) down
status: ## what is running
	@$(K) status
logs:   ## follow the logs of all parts
	@$(K) logs -f
test:   ## set up and run all tests, lint and types
	@bash tools/test.sh
demo:   setup
demo:   ## the main job on bundled input, without a browser
	@$(K) demo
bench:  setup
bench:  ## run the benchmarks in bench/
	@bash tools/bench.sh
lint:   ## style and types
	@bash tools/lint.sh
docs:   ## generate what the docs take from the code, and check them
	@bash tools/docs.sh
lock:   ## resolve the locked requirements anew
	@bash tools/lock.sh
