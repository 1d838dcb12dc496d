# Needs: make, and Python >= 3.11 with venv. Everything else is installed here, by name and hash.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The installer itself; its hash, like everybody's, stands in requirements.lock.
UV_LINE := $(shell sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.lock)
# What is left to chance is new in each run, and printed, unless it is given.
NEW_SEED := INTERACTIONS_CHAOS_SEED=$${INTERACTIONS_CHAOS_SEED:-$$(date +%s)}

.PHONY: help setup demo up down test test-long pythons contract release-check release-freeze faults chaos simulate recovery soak fuzz mutants bench lint format

help: ## Show what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install everything into .venv (again when requirements.lock changes)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1). Say which: make setup PYTHON=python3.12"; exit 1; }
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) \
	  || { echo "Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	if ! $(BIN)/uv --version 2>/dev/null | grep -qF "$(subst uv==,uv ,$(UV_LINE)) "; then
	  sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	  $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	fi
	# `sync` removes what is not in the lock; it keeps the installer because the lock names it.
	$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	touch $(STAMP)

demo: $(STAMP) ## Start everything, publish a week of interactions, show what came of it
	@$(BIN)/interactions demo

up: $(STAMP) ## Start everything in this terminal, until Ctrl-C
	@$(BIN)/interactions up

down: $(STAMP) ## Stop what `up` has started
	@$(BIN)/interactions down

# By file, because a file's tests share what they set up; each worker has servers of its own.
test: $(STAMP) ## Run the tests, two files at a time (WORKERS=0: one after the other)
	@$(BIN)/pytest -m "not long and not chaos and not pythons" --numprocesses $(or $(WORKERS),2) --dist loadfile

test-long: $(STAMP) ## Run the tests of minutes each: bank log, crash points, rebalances, fuzz, mutants
	@$(BIN)/pytest -m "long and not chaos and not pythons" --numprocesses $(or $(WORKERS),2) --dist loadfile

pythons: $(STAMP) ## Run the unit ring on every other Python of this machine (3.11 to 3.14)
	@$(BIN)/pytest -m pythons tests/pythons

contract: $(STAMP) ## Thousands of requests from the OpenAPI document: every answer is one it documents
	@INTERACTIONS_CONTRACT_CASES=$(or $(CASES),130) $(BIN)/pytest tests/integration/api/test_conformance.py

release-check: $(STAMP) ## Compare Avro, AsyncAPI and OpenAPI with every released version
	@$(BIN)/python -m tests.contract.release

release-freeze: $(STAMP) ## Freeze the contract as that of a released version (VERSION=1.2.3)
	@$(BIN)/python -m tests.contract.release --freeze $(or $(VERSION),$(error give the version: make release-freeze VERSION=1.2.3))

faults: $(STAMP) ## Run the short ring of faults: some minutes
	@$(NEW_SEED) $(BIN)/pytest -m chaos -s tests/faults

chaos: $(STAMP) ## Hundreds of faults over a million commands, and a report (QUICK=1, SEED=…, RESUME=1)
	@$(BIN)/python -m tests.faults.chaos $(if $(QUICK),--quick) $(if $(SEED),--seed $(SEED)) $(if $(RESUME),--resume)

recovery: $(STAMP) ## How long each fault is felt, against its goal; on a quiet machine
	@$(BIN)/python -m tests.faults.recovery

soak: $(STAMP) ## Twenty minutes of load: the memory of the roles must not grow
	@$(BIN)/python -m tests.faults.soak

fuzz: $(STAMP) ## 100,000 random and mutated records through a running applier
	@$(NEW_SEED) INTERACTIONS_FUZZ_RECORDS=100000 $(BIN)/pytest -s tests/faults/test_fuzz_applier.py

simulate: $(STAMP) ## A thousand random histories of two-way sync: some minutes
	@INTERACTIONS_SIMULATED_HISTORIES=1000 $(BIN)/pytest -q tests/simulation --timeout 3600

mutants: $(STAMP) ## Every deliberate bug must be caught
	@$(BIN)/python -m tests.faults.mutants.check

bench: $(STAMP) ## Measure everything against Postgres and the peers (QUICK=1: ten minutes; ONLY=P1,P5)
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(RESUME),--resume)

lint: $(STAMP) ## Check style, types and import rules
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Put the code into form
	@$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
