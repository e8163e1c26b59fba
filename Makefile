# docsredirect. All that it needs is Python 3.11 or later and make: the first run of a target makes .venv.
# ARGS is handed on:  make test ARGS='-k sitemap'   make run ARGS='--help'

.DEFAULT_GOAL := help
.PHONY: help run test check bench drill fuzz shots lock clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
# Keeps the versions that the locks hold. `make lock LOCK=--upgrade` takes the newest that pyproject.toml allows.
LOCK ?=
COMPILE := $(BIN)/uv pip compile -q --system-certs pyproject.toml --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(LOCK)

help: ## Say what there is to make.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' Makefile

run: $(READY) ## Load the bundled sample into an empty store and serve it.
	@$(BIN)/docsredirect serve --sample $(ARGS)

test: $(READY) ## Run the tests, with the real programs that are there or can be installed.
	@sh tests/install-real-parts.sh
	@$(BIN)/python -m pytest $(ARGS)

check: $(READY) ## Lint, check the formatting, check the types.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY) ## Measure what the README and the notes state in figures.
	@$(BIN)/python -m tests.bench $(ARGS)

drill: $(READY) ## Kill the admin side during writes, again and again, and hold it to its promises.
	@$(BIN)/python -m tests.drill $(ARGS)

# The time that a test of the usual profile has is too short for this one: each search may take an hour.
fuzz: $(READY) ## Search for what breaks the decision or the API, with many more examples than the tests have.
	@SCHEMATHESIS_EXAMPLES=$${SCHEMATHESIS_EXAMPLES:-1000} $(BIN)/python -m pytest tests/domain \
		tests/admin/test_schemathesis.py --hypothesis-profile=fuzz --timeout=3600 $(ARGS)

shots: $(READY) ## Take the pictures of the README anew; make shots ARGS='--all FOLDER' takes every page.
	@sh tests/install-real-parts.sh
	@$(BIN)/python -m tests.e2e.shots $(ARGS)

# The development lock is made under the runtime lock, so the tests run what is shipped.
lock: $(READY) ## Pin all dependencies anew, with hashes.
	@$(COMPILE) -o requirements.lock
	@$(COMPILE) --extra dev --constraint requirements.lock -o requirements-dev.lock

clean: ## Remove .venv and what the tools leave. The store's folder stays.
	rm -rf .venv node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find docsredirect tests -name __pycache__ -type d -prune -exec rm -rf {} +

# One virtual environment for everything, made from nothing whenever the lock changes, so that nothing lingers in it.
# The lock names the build backend too: hence no build isolation, which would fetch one without a hash.
$(READY): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python found. Install Python 3.11 or later, or name one: make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$("$(PYTHON)" --version 2>&1); 3.11 or later is needed. Name one: make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv with $$("$(PYTHON)" --version). This is done once."
	@"$(PYTHON)" -m venv --clear .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
