# Requirements: make, and Python >= 3.11 with venv. Everything else is installed into .venv, pinned by hash.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The installer; its hash is in requirements.lock, like every other package's.
UV_LINE := $(shell sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.lock)
# A new random seed per run, printed; set INTERACTIONS_CHAOS_SEED to repeat a run.
NEW_SEED := INTERACTIONS_CHAOS_SEED=$${INTERACTIONS_CHAOS_SEED:-$$(date +%s)}

# Roles start often in tests: they are compiled once, whatever the caller's environment says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo up down test test-long pythons contract release-check release-freeze faults chaos simulate recovery soak fuzz mutants screenshots bench lint format

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install everything into .venv (repeated when requirements.lock changes)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is required; $(PYTHON) is $$($(PYTHON) -V 2>&1). Choose one: make setup PYTHON=python3.12"; exit 1; }
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) \
	  || { echo "Python cannot create a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	if ! $(BIN)/uv --version 2>/dev/null | grep -qF "$(subst uv==,uv ,$(UV_LINE)) "; then
	  sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	  $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	fi
	# `sync` removes packages that are not in the lock; the installer stays because it is in the lock.
	$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	touch $(STAMP)

demo: $(STAMP) ## Start everything, publish a week of interactions, show the results
	@$(BIN)/interactions demo

up: $(STAMP) ## Start the stack in this terminal, until Ctrl-C
	@$(BIN)/interactions up

down: $(STAMP) ## Stop the stack; data is kept
	@$(BIN)/interactions down

# Distributed by file, because the tests of a file share fixtures. The workers share one set of servers.
test: $(STAMP) ## Run the tests, four files at a time (WORKERS=0: sequentially)
	@$(BIN)/pytest -m "not long and not chaos" --numprocesses $(or $(WORKERS),4) --dist loadfile --no-loadscope-reorder

test-long: $(STAMP) ## Run the tests that take minutes: faults, bank log, crash points, rebalances, fuzz, mutants
	@$(BIN)/pytest --hypothesis-profile all -m "(long or random or hypothesis) and not chaos" --numprocesses $(or $(WORKERS),4) --dist loadfile --no-loadscope-reorder

pythons: $(STAMP) ## Run the unit tests on every other Python on this machine (3.11 to 3.14)
	@$(BIN)/pytest tests/pythons/unit_ring.py

contract: $(STAMP) ## Send thousands of requests generated from the OpenAPI document; every response must be documented
	@INTERACTIONS_CONTRACT_CASES=$(or $(CASES),130) $(BIN)/pytest tests/integration/api/test_conformance.py

release-check: $(STAMP) ## Compare Avro, AsyncAPI and OpenAPI with every released version
	@$(BIN)/python -m tests.contract.release

release-freeze: $(STAMP) ## Freeze the contract as that of a released version (VERSION=1.2.3)
	@$(BIN)/python -m tests.contract.release --freeze $(or $(VERSION),$(error give the version: make release-freeze VERSION=1.2.3))

faults: $(STAMP) ## Run the short random-fault tests (a few minutes)
	@$(NEW_SEED) $(BIN)/pytest -m chaos -s tests/faults

chaos: $(STAMP) ## Inject hundreds of faults over a million commands, with a report (QUICK=1, SEED=…, RESUME=1)
	@$(BIN)/python -m tests.faults.chaos $(if $(QUICK),--quick) $(if $(SEED),--seed $(SEED)) $(if $(RESUME),--resume)

recovery: $(STAMP) ## Measure recovery time per fault against its target, on a quiet machine
	@$(BIN)/python -m tests.faults.recovery

soak: $(STAMP) ## Run an hour of load; memory of the roles must not grow
	@$(BIN)/python -m tests.faults.soak

fuzz: $(STAMP) ## Send 100,000 random and mutated records to a running applier
	@$(NEW_SEED) INTERACTIONS_FUZZ_RECORDS=100000 $(BIN)/pytest -s tests/faults/test_fuzz_applier.py

simulate: $(STAMP) ## Run a thousand random histories of two-way sync (a few minutes)
	@INTERACTIONS_SIMULATED_HISTORIES=1000 $(BIN)/pytest -q tests/simulation --timeout 3600

mutants: $(STAMP) ## Check that every seeded bug is caught
	@$(BIN)/python -m tests.faults.mutants.check

screenshots: $(STAMP) ## Take the pictures of the pages in docs/pictures (needs Chromium)
	@$(BIN)/python -m bench.screenshots

bench: $(STAMP) ## Run the benchmarks against Postgres and the peers (QUICK=1: ten minutes; ONLY=P1,P5)
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(RESUME),--resume)

lint: $(STAMP) ## Check style, types and import rules
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Format the code
	@$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
