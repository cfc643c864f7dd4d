# Needs python3 (3.11 or newer) and make. Every target does the set-up that it needs first.
PYTHON ?= python3
BIN := .venv/bin
JS := tests/js/node_modules/.bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
TOOLS := .venv/release/bin

.PHONY: setup demo test test-fast check api lighthouse gallery bench attacks faults soak model newest snippets test-sets lock audit-python audit-javascript dist clean

# A file's tests stay together, for they share servers; each process has its own Redis, servers and browser. In the order of
# their names: by the number of their tests, the slow ones with few would come last, and one process would idle. One
# process more than the cores of most machines, for tests wait much: for starts, for deadlines, for browsers.
JOBS ?= 3
# Where this is set, each process of the tests would compile all of them anew.
unexport PYTHONDONTWRITEBYTECODE
SPREAD = --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

setup: .venv/.runtime  ## everything that running needs

demo: setup  ## a project, its page, and the stages in the terminal
	$(BIN)/firstlight demo

test-sets: .venv/.dev .venv/.frameworks .venv/.system .venv/.clients tests/sdk/node_modules/.stamp

test: test-sets  ## all tests: real uvicorn, Redis, SDKs, Chromium
	$(BIN)/pytest $(SPREAD) --cov
	$(BIN)/coverage report --include="server/core/*" --fail-under=100

test-fast: .venv/.dev  ## a first answer in 20 s: Redis, but no browser, SDK, other language or long-lived process
	$(BIN)/pytest $(SPREAD) --exitfirst --ignore=tests/doors/test_flood.py --ignore=tests/stores/test_exactly_once.py \
	  tests/core tests/stores tests/engine tests/doors tests/test_settings.py tests/test_platforms.py

check: .venv/.dev tests/js/node_modules/.stamp  ## format, lint, types, import rules, of the server and of the pages
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(JS)/biome ci --config-path=tests/js --error-on-warnings static tests/e2e/logic
	$(JS)/tsc --project tests/js
	$(BIN)/pytest tests/test_house.py tests/test_static.py

bench: .venv/.dev .venv/.system  ## every row of docs/benchmarks.md, in two minutes; FULL=1 writes it, in twelve; ROWS=heartbeat,latency
	$(BIN)/python -m bench $(if $(FULL),--full) $(if $(ROWS),--only $(ROWS),$(if $(FULL),--write))

newest: test-sets  ## what the newest SDKs make the page show: docs/sdks.md as it would be, and an error where that is new
	cd tests/sdk && npm install --silent --no-audit --no-fund --save-exact \
	  @sentry/browser@latest @sentry/node@latest @sentry/cli@latest
	$(INSTALL) --upgrade sentry-sdk
	$(BIN)/python -m tests.matrix

snippets: test-sets  ## the page's code with the newest SDKs and frameworks, which take long to build: 15 minutes, 4 GB
	$(BIN)/pytest --no-cov tests/snippets/heavy.py

attacks: .venv/.dev .venv/.system  ## each known flood against a real server, while another project's heartbeat is timed
	$(BIN)/python -m bench.attacks $(ATTACKS)

faults: .venv/.dev .venv/.system  ## each fault under real workers and watchers, into docs/reliability.md: make faults FAULTS=empty,cut VIEWERS=50
	$(BIN)/python -m bench.faults "$(FAULTS)" --viewers $(or $(VIEWERS),500) --together $(or $(TOGETHER),2) $(if $(FAULTS),,--write)

soak: .venv/.dev .venv/.system  ## a fault a minute at 2,000 viewers and 500 heartbeats/s, into docs/reliability.md: make soak MINUTES=15
	$(BIN)/python -m bench.faults.soak $(or $(MINUTES),15) --viewers $(or $(VIEWERS),2000) --write

model: .venv/.dev  ## what can be lost, late or doubled, at random, for longer than in the tests: make model STEPS=1000000
	FIRSTLIGHT_MODEL_STEPS=$(or $(STEPS),100000) $(BIN)/pytest --no-cov tests/model

api: .venv/.runtime .venv/.api tests/api/node_modules/.stamp  ## made-up requests for all that OpenAPI says; AsyncAPI by its own parser, with CLI=1 also by its command line
	CLI=$(CLI) tests/api/run $(BIN) .venv/api/bin

lighthouse: .venv/.dev .venv/.system tests/lighthouse/node_modules/.stamp  ## the pages as Lighthouse sees them, on a phone
	$(BIN)/python -m tests.lighthouse

gallery: .venv/.dev .venv/.system  ## pictures of every state of the pages, and what axe says of each; some with STATES="awaiting lost"
	$(BIN)/python -m tests.gallery $(STATES)

# Keeps the pins that still fit; `make lock UPGRADE=--upgrade` takes the newest.
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 $(UPGRADE) \
  --custom-compile-command "make lock" --output-file

lock: .venv/bin/uv  ## the exact packages, with hashes and without an index, from pyproject.toml
	@$(COMPILE) requirements/install.txt --group install >/dev/null
	@$(COMPILE) requirements/build.txt --group build >/dev/null
	@$(COMPILE) requirements/runtime.txt pyproject.toml >/dev/null
	@$(COMPILE) requirements/dev.txt pyproject.toml --group dev --constraints requirements/runtime.txt >/dev/null
	@$(COMPILE) requirements/frameworks.txt --group frameworks --constraints requirements/dev.txt >/dev/null
	@$(COMPILE) requirements/api.txt --group api >/dev/null
	@$(COMPILE) requirements/peers.txt --group peers >/dev/null
	@$(COMPILE) requirements/release.txt --group release --constraints requirements/dev.txt >/dev/null

# Everything is audited as it is locked, not as it happens to be installed. Tests drive old SDKs on purpose.
audit-python: .venv/.release  ## known weaknesses in what is locked
	@for lock in requirements/*.txt; do $(TOOLS)/pip-audit --strict --disable-pip --require-hashes -r $$lock || exit 1; done

audit-javascript:
	cd tests/js && npm audit
	cd tests/sdk && npm audit --audit-level=critical

dist: .venv/.release  ## wheel, sdist, and the bill of materials of what they run with
	@rm -rf dist
	$(UV) build --quiet --build-constraints requirements/build.txt --require-hashes --out-dir dist
	@rm dist/.gitignore
	$(TOOLS)/cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml --output-reproducible \
	  --output-file dist/firstlight-$$($(BIN)/python -c 'from server import __version__; print(__version__)').cdx.json

clean:
	rm -rf .venv tests/sdk/node_modules tests/js/node_modules

.venv/bin/uv: requirements/install.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Firstlight needs Python 3.11 or newer; set PYTHON=/path/to/it."; exit 1; }
	@$(PYTHON) -m venv .venv \
	  || { echo "Could not make .venv. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The project itself has no hash, so it is installed apart; what builds it is locked as well.
.venv/.runtime: pyproject.toml requirements/runtime.txt requirements/build.txt .venv/bin/uv
	@$(INSTALL) --require-hashes -r requirements/runtime.txt
	@$(INSTALL) --no-deps --require-build-hashes --build-constraints requirements/build.txt --editable .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

# Apart from the rest: a release's tools need other versions of what the tests use.
.venv/.release: requirements/release.txt .venv/.runtime
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv/release
	@$(UV) pip install --quiet --python $(TOOLS)/python --require-hashes -r $<
	@touch $@

# Apart as well: an SDK that finds Django says that it is Django's.
.venv/.frameworks: requirements/frameworks.txt .venv/.runtime
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv/frameworks
	@$(UV) pip install --quiet --python .venv/frameworks/bin/python --require-hashes -r $<
	@touch $@

.venv/.api: requirements/api.txt .venv/.runtime
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv/api
	@$(UV) pip install --quiet --python .venv/api/bin/python --require-hashes -r $<
	@touch $@

.venv/.system: tests/system-packages .venv/bin/uv
	sh tests/system-packages
	@touch $@

.venv/.clients: tests/matrix/table.py .venv/.dev
	$(BIN)/python -m tests.matrix install
	@touch $@

tests/js/node_modules/.stamp: tests/js/package.json tests/js/package-lock.json .venv/.system
	cd tests/js && npm ci --silent --no-audit --no-fund
	@touch $@

tests/api/node_modules/.stamp: tests/api/package.json tests/api/package-lock.json .venv/.system
	cd tests/api && npm ci --silent --no-audit --no-fund
	@touch $@

tests/lighthouse/node_modules/.stamp: tests/lighthouse/package.json tests/lighthouse/package-lock.json .venv/.system
	cd tests/lighthouse && npm ci --silent --no-audit --no-fund
	@touch $@

tests/sdk/node_modules/.stamp: tests/sdk/package.json tests/sdk/package-lock.json .venv/.system
	cd tests/sdk && npm ci --silent --no-audit --no-fund
	@touch $@
