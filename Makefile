# Casebound: `make up` runs it, `make test` tests it. Everything is installed into .venv, nothing elsewhere.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip -qq --disable-pip-version-check --no-input
RUN := $(VENV)/run.stamp
DEV := $(VENV)/dev.stamp
# What is there for development is there for running too.
ANY := $(if $(wildcard $(DEV)),$(DEV),$(RUN))

# Does nothing if nothing has changed.
FRONT_END := $(BIN)/python services/api/portal/front_end.py --work $(VENV)/front-end

.PHONY: help setup up test lint bench chaos screenshots lock

help:
	@echo "make up      run Casebound with the demo desks on http://127.0.0.1:8000"
	echo "make setup   make .venv with the pinned dependencies and the command casebound"
	echo "make test    every test that this machine can run"
	echo "make lint    format, lint, types, import contracts, container files, pins"
	echo "make chaos   fault tests          make bench   benchmarks"
	echo "make lock    pin the newest dependencies again     make screenshots  pictures of the portal"

setup: $(DEV)
	@$(FRONT_END)

up: $(ANY)
	@$(FRONT_END) $(if $(wildcard $(DEV)),,--no-tools)
	exec $(BIN)/casebound up

test: setup
	@$(BIN)/pytest tests --ignore=tests/chaos $(addprefix --ignore=,$(LOAD)) -n 2 --dist loadfile
	$(BIN)/pytest $(LOAD) -n 0

# Rates and latencies mean something only while nothing else runs.
LOAD := tests/integration/test_load.py tests/integration/test_export_load.py tests/portal/test_speed.py

chaos: $(DEV)
	@$(BIN)/pytest tests/chaos -n 0

screenshots: setup
	@$(BIN)/python -m tests.portal.screenshots

bench: $(DEV)
	@$(BIN)/python -m benchmarks

lint: $(DEV)
	@$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/docker-compose -f docker-compose.yml config --quiet
	$(BIN)/hadolint deploy/Dockerfile
	# Pins hold on any index: neither addresses nor lock files that have some.
	if grep -nE '://|^ *--(extra-)?index-url|^ *--find-links' requirements/*.txt; then
	  echo "requirements must not name an address" >&2; exit 1
	fi
	if grep -nE '"resolved"|://' services/api/portal/package*.json; then
	  echo "package-lock.json must not name an address: make it with npm in services/api/portal" >&2; exit 1
	fi
	if git ls-files | grep -E '(^|/)(uv|poetry|pdm)\.lock$$|(^|/)pylock[^/]*\.toml$$|(^|/)Pipfile\.lock$$'; then
	  echo "lock files with addresses must not be committed" >&2; exit 1
	fi
	echo "lint: clean"

LOCK := uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --upgrade pyproject.toml
lock: $(DEV)
	@$(PIP) install uv
	export PATH="$(CURDIR)/$(BIN):$$PATH"
	$(LOCK) -o requirements/services.txt
	$(LOCK) --extra embedded --extra build -o requirements/run.txt
	$(LOCK) --extra embedded --extra build --extra dev -o requirements/dev.txt
	$(subst pyproject.toml,requirements/peer.in,$(LOCK)) -o requirements/peer.txt

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Casebound needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV) || { echo "can't make $(VENV): on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }

$(RUN): requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "Installing the pinned dependencies (once) …"
	$(PIP) install --require-hashes -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation --no-index -e .
	touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing the pinned dependencies with the tools of development (once) …"
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation --no-index -e .
	touch $@ $(RUN)
