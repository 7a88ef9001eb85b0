# The commands of development. `make` lists the targets; `.ci/run` runs `make check` and `make test`.
#
# All tools live in .venv: the versions and hashes in requirements/lock.txt, which `make lock` makes from
# pyproject.toml. A machine needs Python 3.11 or newer and make.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=
# auto: without the lock where its files are not to be had. require: an error instead. off: without the lock.
LOCK ?= auto
SUPPLY := $(VENV)/supply

LISTEN ?= 127.0.0.1:50051
SERVICE ?= HelloService=127.0.0.1:9090
TICKETS ?= TicketService=127.0.0.1:9091
# examples/simple/workflows.py -> examples.simple.workflows
WORKFLOWS := $(subst /,.,$(basename $(sort $(wildcard examples/*/workflows.py))))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List the targets
	@echo 'Usage: make TARGET [ARGS="..."]'
	@echo
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name text; do printf '%-21s %s\n' "$$name" "$$text"; done

# --- Set-up ------------------------------------------------------------------------------------

.PHONY: venv
venv: $(STAMP) ## Create .venv and install the development tools

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed; name one with: make PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml requirements/lock.txt requirements/install.py | $(BIN)/python
	$(BIN)/python requirements/install.py $(LOCK)
	@touch $@

$(SUPPLY)/.installed: requirements/tools.txt | $(BIN)/python
	$(BIN)/python -m venv $(SUPPLY)
	$(SUPPLY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt
	@touch $@

# --- Examples ----------------------------------------------------------------------------------
# Each example starts the servers that it needs and that do not run yet. To run them yourself, use three
# terminals: make run-service, make run-processor, DURABLE_ADDRESS=127.0.0.1:50051 make run-simple.

.PHONY: docker-up
docker-up: ## Start the NATS cluster of compose.yaml, if Docker runs; optional
	@if docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then docker compose up --detach --wait nats-1 nats-2 nats-3; \
	else echo 'Docker does not answer, and nothing is needed: durable runs a NATS server of its own.'; fi

.PHONY: run-service
run-service: $(STAMP) ## Run the gRPC service that the examples call
	$(BIN)/python examples/hello_service.py $(ARGS)

.PHONY: run-ticket-service
run-ticket-service: $(STAMP) ## Run the gRPC service that the ticket examples call
	$(BIN)/python examples/ticket_service.py $(ARGS)

.PHONY: run-processor
run-processor: $(STAMP) ## Run the control plane and a worker that serves all examples
	$(BIN)/durable dev $(WORKFLOWS) --listen $(LISTEN) --service $(SERVICE) --service $(TICKETS) $(ARGS)

.PHONY: run-simple
run-simple: $(STAMP) ## Invoke a workflow and print the first response in its journal
	$(BIN)/python examples/simple/main.py $(ARGS)

.PHONY: run-async
run-async: $(STAMP) ## Start an invocation without waiting, fetch its result later
	$(BIN)/python examples/async_/main.py $(ARGS)

.PHONY: run-typed
run-typed: $(STAMP) ## Invoke a workflow with types that mypy and pyright check
	$(BIN)/python examples/typed/main.py $(ARGS)

.PHONY: run-multi-service
run-multi-service: $(STAMP) ## Make several service calls in one workflow
	$(BIN)/python examples/multi_service/main.py $(ARGS)

.PHONY: run-concurrent
run-concurrent: $(STAMP) ## Invoke many workflows concurrently; ARGS="--count 100"
	$(BIN)/python examples/concurrent_workflows/main.py $(ARGS)

.PHONY: run-retry
run-retry: $(STAMP) ## Find the failed invocations and run them again
	$(BIN)/python examples/retry_failures/main.py $(ARGS)

.PHONY: run-pause
run-pause: $(STAMP) ## Pause and resume an invocation, cancel another one
	$(BIN)/python examples/pause_cancel/main.py $(ARGS)

.PHONY: run-ticket-cart
run-ticket-cart: $(STAMP) ## Keep a shopping cart per user in a virtual object; tickets expire
	$(BIN)/python examples/ticket_cart/main.py $(ARGS)

.PHONY: run-delayed
run-delayed: $(STAMP) ## Schedule a workflow; ARGS="--delay 60"
	$(BIN)/python examples/delayed_execution/main.py $(ARGS)

.PHONY: run-approval
run-approval: $(STAMP) ## Wait for a person's decision; ARGS="--decide approve"
	$(BIN)/python examples/approval_workflow/main.py $(ARGS)

.PHONY: run-query
run-query: $(STAMP) ## Query invocations and read their journals
	$(BIN)/python examples/query_api/main.py $(ARGS)

.PHONY: run-restate
run-restate: $(STAMP) ## Compare typed calls, references and child workflows
	$(BIN)/python examples/restate_style/main.py $(ARGS)

.PHONY: run-rest
run-rest: $(STAMP) ## Invoke a workflow over plain HTTP
	$(BIN)/python examples/rest_invoke/main.py $(ARGS)

.PHONY: run-grpc
run-grpc: $(STAMP) ## Call a gRPC service directly, and the control plane without the SDK
	$(BIN)/python examples/grpc_direct/main.py $(ARGS)

.PHONY: run-saga
run-saga: $(STAMP) ## Compensate completed steps when a later one fails
	$(BIN)/python examples/saga/main.py $(ARGS)

.PHONY: run-webhook
run-webhook: $(STAMP) ## Wait for a payment provider's signed webhook
	$(BIN)/python examples/webhook_payment/main.py $(ARGS)

.PHONY: run-codec
run-codec: $(STAMP) ## Encrypt values, rotate keys, and read them through a codec endpoint
	$(BIN)/python examples/encryption/main.py $(ARGS)

.PHONY: run-local
run-local: $(STAMP) ## Run a workflow in local mode: no NATS, no ports
	$(BIN)/python examples/local/main.py $(ARGS)

.PHONY: run-cluster
run-cluster: $(STAMP) ## Kill a node of a cluster under load; ARGS="--count 1000"
	$(BIN)/python examples/cluster/main.py $(ARGS)

.PHONY: run-secure
run-secure: $(STAMP) ## Show TLS, tokens and scopes to the right caller and to each wrong one
	$(BIN)/python examples/secure/main.py

.PHONY: run-rolling
run-rolling: $(STAMP) ## Restart all nodes of a cluster under load; ARGS="--rate 50"
	$(BIN)/python -m examples.cluster.rolling $(ARGS)

.PHONY: run-deploy
run-deploy: $(STAMP) ## Deploy changed code while 200 invocations run, pinned and patched
	$(BIN)/python examples/deploy/main.py

# --- Development -------------------------------------------------------------------------------

.PHONY: check
check: lint types imports protos ## Run all checks except the tests

.PHONY: lint
lint: $(STAMP) ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: $(STAMP) ## Check types with mypy and pyright
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

.PHONY: imports
imports: $(STAMP) ## Check the import contracts between packages
	$(BIN)/lint-imports --no-logo

.PHONY: protos
protos: $(STAMP) ## Check the protos, and that the generated code is up to date
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	set -e; for base in proto/released/*.binpb; do $(BIN)/buf breaking --against "$$base"; done
	$(BIN)/python gen/generate.py --check

.PHONY: test
test: $(STAMP) ## Run the tests; ARGS="tests/core -k timers"
	$(BIN)/python -m pytest $(ARGS)

.PHONY: released
released: $(STAMP) ## Keep the protos of VERSION, which must not break from then on; VERSION=0.2.0
	$(BIN)/buf build --exclude-source-info -o proto/released/$(VERSION).binpb

.PHONY: gen
gen: $(STAMP) ## Regenerate the generated code
	$(BIN)/python gen/generate.py

.PHONY: bench-sleepers
bench-sleepers: $(STAMP) ## Measure the cost of 100,000 sleeping invocations
	$(BIN)/python benchmarks/sleepers.py $(ARGS)

.PHONY: bench
bench: $(STAMP) ## Run the benchmarks
	$(BIN)/python benchmarks/run.py $(ARGS)

.PHONY: bench-takeover
bench-takeover: $(STAMP) ## Measure the takeover from a killed node; ARGS="--lease 2 --external"
	$(BIN)/python -m benchmarks.takeover $(ARGS)

.PHONY: bench-retention
bench-retention: $(STAMP) ## Measure whether retention keeps up with 200,000 short workflows
	$(BIN)/python benchmarks/retention.py $(ARGS)

.PHONY: bench-snapshots
bench-snapshots: $(STAMP) ## Time and size of snapshots, and what else notices; ARGS="--size 100000"
	$(BIN)/python benchmarks/snapshots.py $(ARGS)

.PHONY: bench-rejoin
bench-rejoin: $(STAMP) ## Time to back up, restore and rejoin a large system; ARGS="--size 100000"
	$(BIN)/python benchmarks/rejoin.py $(ARGS)

.PHONY: bench-query
bench-query: $(STAMP) ## Compare queries at a thousand and at a million; ARGS="--size 100000"
	$(BIN)/python benchmarks/query.py $(ARGS)

COMPILE := $(SUPPLY)/bin/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command 'make lock'

.PHONY: lock
lock: $(SUPPLY)/.installed ## Lock the versions and hashes of all dependencies; ARGS="--upgrade"
	$(COMPILE) $(ARGS) pyproject.toml requirements/build.in --extra dev --output-file requirements/lock.txt
	$(COMPILE) $(ARGS) requirements/tools.in --output-file requirements/tools.txt
	$(BIN)/python requirements/install.py require
	@touch $(STAMP)
	$(MAKE) sbom

.PHONY: audit
audit: $(SUPPLY)/.installed ## Look the locked dependencies up in the database of known vulnerabilities
	@$(SUPPLY)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r requirements/lock.txt $(ARGS) || \
		{ echo 'Not all could be looked up, or one is vulnerable: see above. What they are: docs/dependencies.md'; exit 1; }

.PHONY: sbom
sbom: $(STAMP) ## Write the wheel's software bill of materials and docs/dependencies.md; part of `make lock`
	$(BIN)/python -m requirements.describe

.PHONY: build
build: $(STAMP) ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

.PHONY: clean
clean: ## Remove build results and caches; keeps .venv and .durable
	rm -rf dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
