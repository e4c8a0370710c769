.DEFAULT_GOAL := help
BIN := .venv/bin
# Screens are compared cell by cell: nothing may move, and time is UTC.
TEST_ENV := TEXTUAL_ANIMATIONS=none TZ=UTC

.PHONY: help demo test test-fast lint format bench snapshots clean setup

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Set up, and open the screen on the embedded lab
	@scripts/setup demo
	@$(BIN)/debugtui demo

test: setup lint ## Set up, and pass everything: lint, types, layers, and tests against real servers
	$(TEST_ENV) $(BIN)/pytest

test-fast: setup ## The tests that need no service
	$(TEST_ENV) $(BIN)/pytest tests/unit tests/screens

lint: setup ## Style, types, and which room may import which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup ## Measure what the README claims about speed
	$(BIN)/python -m benchmarks

snapshots: setup ## Compare the screens with their pictures and show the differences; UPDATE=1 accepts them
	$(TEST_ENV) scripts/snapshots $(if $(UPDATE),--update)

setup:
	@scripts/setup test

clean: ## Remove what setup and the tests made here
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis snapshots/.report
