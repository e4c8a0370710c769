.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint format bench scenarios snapshots clean setup
BIN := .venv/bin

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Set up, and open the screen on the embedded lab
	@scripts/setup demo
	@$(BIN)/debugtui demo

test: lint ## Set up, and pass everything: style, types, layers, and tests against real servers
	@scripts/test

test-fast: setup ## The tests that need neither a screen nor a service
	$(BIN)/pytest tests/unit

lint: setup ## Style, types, and which room may import which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code, and mend what can be mended by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup ## Measure what the README says about speed
	$(BIN)/python -m benchmarks

scenarios: setup ## Break a real lab in many ways and see what the diagnosis says; ONLY='postgres-*' runs a few
	$(BIN)/python -m tests.scenarios $(if $(ONLY),--only '$(ONLY)')

snapshots: setup ## Compare the screens with their pictures and show the differences; UPDATE=1 accepts them
	@scripts/snapshots $(if $(UPDATE),--update)

setup:
	@scripts/setup test

clean: ## Remove what setup and the tests made here
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info build snapshots/.report
