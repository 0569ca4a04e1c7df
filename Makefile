# Every target is a line or two; the work is in genie (see: .venv/bin/genie --help).
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

up: $(VENV)/.runtime ## start everything, wait until it is ready
	@$(BIN)/genie up

down: ## stop everything that up started
	@if [ -x $(BIN)/genie ]; then $(BIN)/genie down; else echo "nothing was ever started here"; fi

status: $(VENV)/.runtime ## what runs
	@$(BIN)/genie status

build: $(VENV)/.runtime ## pack the functions of stack.yml
	@$(BIN)/genie build

deploy: build ## build and deploy the functions of stack.yml
	@$(BIN)/genie deploy

test: $(VENV)/.dev ## the whole suite: the fast part first
	@$(PYTEST) -q -m "not slow" -n 2
	@$(PYTEST) -q -m slow -rs

test-fast: $(VENV)/.dev ## the part that takes under a minute
	@$(PYTEST) -q -m "not slow" -n 2

lint: $(VENV)/.dev ## rules and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy --strict
	@$(BIN)/mypy

format: $(VENV)/.dev ## rewrite to the project's format
	@$(BIN)/ruff check --fix-only -q . && $(BIN)/ruff format .

bench: $(VENV)/.dev ## the figures we claim, as ratios
	@$(BIN)/python -m bench

lock: ## pin the newest versions that pyproject.toml allows (needs uv)
	@for extra in runtime dev; do uv pip compile -q --upgrade pyproject.toml $$( [ $$extra = dev ] && echo --extra dev ) \
	  --python-version 3.11 --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate \
	  -o requirements/$$extra.lock; done

clean: down ## stop, and delete the environment and all state
	rm -rf $(VENV) .genie

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml
	@sh .ci/venv $(VENV) runtime

$(VENV)/.dev: requirements/dev.lock pyproject.toml
	@sh .ci/venv $(VENV) dev

.PHONY: help up down status build deploy test test-fast lint types format bench lock clean
