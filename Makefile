# The one door. Every target sets up what it needs itself, from the lock files in requirements/.
# Written for GNU make 3.81 and the BSD tools of macOS as well as for Linux.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VALIDATOR := .cache/focus-validator
READY := $(VENV)/.ready
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types format lock validator slice bench clients clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-9s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## Install everything from the lock files into .venv
	@echo "setup: ready"

$(READY): requirements/dev.lock requirements/uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	@echo "setup: creating $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@echo "setup: installing locked packages"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.lock requirements/uv.lock
	@touch $@

demo: $(READY) ## Run App, Action and a loopback GitHub and show where to look (ONCE=1: print and exit)
	@$(BIN)/python -m app demo $(if $(ONCE),--once) $(ARGS)

test: lint types ## Everything that must hold: lint, types, tests (ARGS="-k words" passes on to pytest)
	@echo "test: pytest $(ARGS)"
	@$(BIN)/python -m pytest $(ARGS)

lint: $(READY) ## Ruff as lint and as format check; zizmor on workflows and the Action
	@echo "lint: ruff"
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@echo "lint: zizmor"
	@$(BIN)/zizmor --offline --quiet --no-progress .github/workflows action

types: $(READY) ## mypy, strict
	@echo "types: mypy"
	@$(BIN)/mypy

format: $(READY) ## Rewrite the code in the house format
	@$(BIN)/ruff check -q --fix . || true
	@$(BIN)/ruff format -q .

lock: $(READY) ## Renew the lock files: versions and hashes, no host (ARGS="--upgrade" takes the newest)
	@$(COMPILE) $(ARGS) requirements/uv.in -o requirements/uv.lock
	@$(COMPILE) $(ARGS) pyproject.toml -o requirements/app.lock
	@$(COMPILE) $(ARGS) pyproject.toml --group dev -o requirements/dev.lock
	@$(subst 3.11,3.12,$(COMPILE)) $(ARGS) requirements/focus-validator.in -o requirements/focus-validator.lock
	@$(COMPILE) $(ARGS) action/standalone/requirements.in -o action/standalone/requirements.lock

validator: $(VALIDATOR)/.ready ## Install the official FOCUS validator, in an environment of its own (needs Python 3.12)
	@echo "validator: ready"

# Its NumPy has wheels for Python 3.12 and none later. A shim of pyenv is no Python until it runs.
$(VALIDATOR)/.ready: requirements/focus-validator.lock $(READY)
	@found=; for each in $(FOCUS_PYTHON) python3.12 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12.*/bin/python; do \
	  "$$each" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null && found=$$each && break; done; \
	  $(BIN)/uv venv --quiet --clear --python "$${found:-3.12}" $(VALIDATOR) || \
	  { echo "Python 3.12 is needed, and could not be fetched; set FOCUS_PYTHON=/path/to/python3.12"; exit 1; }
	@$(BIN)/uv pip sync --quiet --python $(VALIDATOR)/bin/python --require-hashes requirements/focus-validator.lock
	@touch $@

slice: $(READY) ## Cut GitHub's API description down to what we call (needs npm; ARGS=--check only compares)
	@$(BIN)/python scripts/github_openapi_slice.py $(ARGS)

bench: $(READY) ## Run the measurements in bench/, which take minutes (ARGS=record runs that one)
	@$(BIN)/python -m bench $(ARGS)

clients: $(READY) ## Play real agents against a stand-in model API under act: 2.5 GB, minutes (ARGS="codex" plays those)
	@$(BIN)/python -m tests.clients $(ARGS)

clean: ## Remove everything that setup and runs created
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis node_modules
