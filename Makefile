# make demo   the main job on an embedded SQLite database, with a page to look at
# make test   lint, types, floors and every test
# make test-clients   other people's clients against it
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
HOST ?= 127.0.0.1
# Tests hardly wait, and each process loads all of them: one more than there are cores. A file stays in one, with the
# servers it shares; the order is that of tests/conftest.py.
PYTEST_ARGS ?= -q -n 3 --dist loadfile --no-loadscope-reorder
# What one process has compiled the next one reads, tests too; wherever this is set, each would compile for itself.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install install-dev demo test pytest fetch-clients test-clients lint format serve clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.made:
	scripts/make-venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.made requirements.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	$(BIN)/python -m compileall -q gateway  # a third of the first start, which pip does not do for a checkout
	touch $@

$(VENV)/.installed-dev: $(VENV)/.made requirements-dev.lock pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	$(BIN)/python -m compileall -q gateway
	-$(BIN)/python -m compileall -qq -j 0 -x '/STU3/' $(VENV)/lib  # by all cores, as pip does not; STU3 is never loaded
	touch $@ $(VENV)/.installed

install: $(VENV)/.installed ## the program, into .venv
install-dev: $(VENV)/.installed-dev ## the program and what its tests need, into .venv

demo: install ## load the demo and serve it (PORT, HOST; DEMO_ONCE=1 prints the answer and ends)
	$(BIN)/samverka demo run --host $(HOST) --port $(PORT) $(if $(DEMO_ONCE),--once)

serve: install ## serve with the settings in the environment
	$(BIN)/samverka serve --host $(HOST) --port $(PORT)

lint: install-dev ## style, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache | tail -n 3

test: install-dev ## everything that must be true; lint beside it, for types are checked on one core
	scripts/test-needs
	+$(MAKE) --no-print-directory -j 2 lint pytest

pytest: install-dev
	$(BIN)/pytest $(PYTEST_ARGS)

fetch-clients: install-dev ## what other people's clients need, which test-clients fetches too
	scripts/test-needs --clients
	$(BIN)/python -m tests.clients --fetch

test-clients: install-dev ## other people's clients (PyPI, npm, Maven) against a live server
	scripts/test-needs --clients
	$(BIN)/python -m tests.clients

format: install-dev ## make the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## away with what was made
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis
