# The one door. Every target sets up what it needs itself, from the lock files in requirements/.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types format lock slice bench clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## Install everything from the lock files into .venv

$(READY): requirements/dev.lock requirements/uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	@echo "setup: creating $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@echo "setup: installing locked packages"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.lock requirements/uv.lock
	@touch $@

demo: $(READY) ## Run App, Action and a loopback GitHub together and show where to look (ONCE=1: print and exit)
	@$(BIN)/python -m app demo $(if $(ONCE),--once)

test: $(READY) ## Everything that must hold: lint, types, tests
	@$(MAKE) --no-print-directory lint types
	@$(BIN)/python -m pytest $(ARGS)

lint: $(READY) ## Ruff, as lint and as format check
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .

types: $(READY) ## mypy, strict
	@$(BIN)/mypy

format: $(READY) ## Rewrite the code in the house format
	@$(BIN)/ruff check -q --fix . || true
	@$(BIN)/ruff format -q .

lock: $(READY) ## Renew the lock files (versions and hashes; no index host in them)
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/uv.in -o requirements/uv.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements/app.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --group dev -o requirements/dev.lock

bench: $(READY) ## Measure what docs/performance.md reports
	@$(BIN)/python -m bench

clean: ## Remove everything that setup and runs created
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis node_modules
