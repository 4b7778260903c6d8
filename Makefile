# The hub's everyday commands. Each sets up what it needs; each can be the first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready
ONLY ?=

.PHONY: demo test test-all test-newest check bench lock format
.DEFAULT_GOAL := test

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; run: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)  ## A hub and an invented city that sends to it
	$(BIN)/healthhub demo

test: $(READY)  ## The everyday tests, under six minutes
	$(BIN)/python tools/browser.py
	$(BIN)/python -m pytest -m "not slow" -n 2

test-all: $(READY) test-newest  ## All tests, those with kill -9 too
	$(BIN)/python tools/browser.py
	$(BIN)/python tools/examples.py
	$(BIN)/python -m pytest -n 2

test-newest: $(READY)  ## What leans on PostgreSQL, on its newest version
	HEALTHHUB_POSTGRES_BIN=$$($(BIN)/python tools/newest.py) $(BIN)/python -m pytest -m "not slow" -n 2 tests/store tests/keep tests/postgres tests/walk

check: $(READY)  ## Format, lint, types, import contracts, lock file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python tools/lock.py --check

bench: $(READY)  ## Measure, and write bench/results.json and docs/performance.md
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

lock: $(READY)  ## Renew requirements.lock
	$(BIN)/python tools/lock.py

format: $(READY)  ## Format and sort imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
