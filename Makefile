# One list of commands for people, hooks and machines. `make help` prints it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

SANDBOX ?= sandbox
SANDBOX_HOSTS ?=
export SANDBOX SANDBOX_HOSTS

BIN := build/env/bin
PYTHON_ENV := $(BIN)/python
REACHED := build/$(SANDBOX)/inventory

.PHONY: help env env-dev up down status check lint sanity units pytest contract test test-full molecule faults bench lock docs clean engine-down

help: ## print this list
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  %-12s %s\n", $$1, $$2 }'
	@printf '\n  SANDBOX=name (default: sandbox) picks the fleet in a box, SANDBOX_HOSTS=file its hosts\n'

env: ## make the environment that runs the control plane (build/env)
	@sh scripts/env.sh run

env-dev: ## make the environment for the checks as well
	@sh scripts/env.sh dev

up: ## set up a fleet in a box, from nothing to running wizards; again: change nothing
	@sh scripts/up.sh

down: ## remove the fleet in a box
	@sh scripts/down.sh

status: ## say how the wizards of the fleet in a box are
	@[ -f $(REACHED)/hosts.yml ] || { echo 'no fleet stands here; make up sets one up' >&2; exit 1; }
	@$(BIN)/ansible-playbook --inventory $(REACHED) \
	  --vault-password-file "$$(sh scripts/vault_password.sh)" playbooks/status.yml

check: env-dev ## run every check that needs no Docker engine
	@rm -rf build/test
	@status=0; $(PYTHON_ENV) scripts/check.py || status=1; $(PYTHON_ENV) scripts/total.py || status=1; exit $$status

lint: env-dev ## run the linters and the type checker
	@$(PYTHON_ENV) scripts/check.py ruff mypy ansible-lint shellcheck docs changelog

sanity: env-dev ## run all tests of ansible-test sanity
	@sh scripts/sanity.sh sanity

units: env-dev ## run ansible-test units
	@sh scripts/sanity.sh units

pytest: env-dev ## run the other tests; ARGS are handed on
	@$(PYTHON_ENV) -m pytest $(ARGS)

contract: env-dev ## hold a forge to the contract, and the modules to it (default: the pocket forge); ARGS are handed on
	@$(PYTHON_ENV) -m pytest tests/contract tests/forge_modules $(ARGS)

molecule: env-dev ## give one fleet its whole life, from blank hosts to none
	@sh scripts/fleet.sh

test: env-dev ## run every check, the life of a fleet included
	@sh scripts/test.sh

test-full: env-dev ## run the long trials as well
	@sh scripts/test.sh full

faults: env-dev ## run all fault trials with the real windows on a fleet of their own; ARGS are handed on
	@sh scripts/faults.sh --full $(ARGS)

bench: env-dev ## measure, and append the figures to build/bench.jsonl
	@$(PYTHON_ENV) scripts/bench.py $(ARGS)

lock: ## resolve requirements/*.in and the wheels of Hermes anew
	@sh scripts/lock.sh

docs: env-dev ## write docs/reference from the code
	@$(PYTHON_ENV) scripts/reference.py

clean: ## remove the fleet, its images and everything in build/
	@if docker info >/dev/null 2>&1; then sh scripts/down.sh && sandbox/image.sh clean; fi
	@sandbox/engine.sh down
	@rm -rf build

engine-down: ## stop the Docker engine, if make up started it
	@sandbox/engine.sh down
