# The same lines without make, for Windows PowerShell: see README.md.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo lint check test dev dashboard lock clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/meter demo

dashboard: $(READY)
	$(BIN)/meter dashboard

dev: $(READY)
	$(BIN)/meter dev

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

check: lint ## the fast loop: format, lint, imports, types and the quick tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not browser" --durations=5

test: lint ## all tests; a file's tests stay together, as they share what they made
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15

lock: ## pin what a fresh venv gets today (used as constraints, so that other systems skip what they lack)
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	(echo "# Made by 'make lock' from a fresh venv on $$(uname -s) with $$($(PYTHON) --version)."; \
		build/lock/bin/python -m pip freeze --exclude-editable) > constraints.txt

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
