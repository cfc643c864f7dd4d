# Needs python3 (3.11 or newer) and make. Every target does the set-up that it needs first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test check bench clean

setup: .venv/.runtime  ## everything that running needs

demo: setup  ## a project, its page, and the stages in the terminal
	$(BIN)/firstlight demo

test: .venv/.dev .venv/.system .venv/.clients tests/sdk/node_modules/.stamp  ## all tests: real uvicorn, Redis, SDKs, Chromium
	$(BIN)/pytest

check: .venv/.dev  ## format, lint, types, import rules
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pytest tests/test_house.py

bench: .venv/.dev .venv/.system  ## ratios against a bare ASGI function, side by side
	$(BIN)/python -m bench

clean:
	rm -rf .venv tests/sdk/node_modules

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Firstlight needs Python 3.11 or newer; set PYTHON=/path/to/it."; exit 1; }
	@$(PYTHON) -m venv .venv \
	  || { echo "Could not make .venv. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

.venv/.runtime: pyproject.toml .venv/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable .
	@touch $@

.venv/.dev: pyproject.toml .venv/.runtime
	$(BIN)/uv pip install --quiet --python $(BIN)/python --group dev
	@touch $@

.venv/.system: tests/system-packages .venv/bin/uv
	sh tests/system-packages
	@touch $@

.venv/.clients: tests/matrix/table.py .venv/.dev
	$(BIN)/python -m tests.matrix install
	@touch $@

tests/sdk/node_modules/.stamp: tests/sdk/package.json tests/sdk/package-lock.json .venv/.system
	cd tests/sdk && npm ci --silent --no-audit --no-fund
	@touch $@
