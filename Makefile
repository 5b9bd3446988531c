# The same lines without make, for Windows PowerShell: see README.md.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo lint check test test-deploy bench bench-serving bench-batch bench-rows bench-dev bench-training dev dashboard lock clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/meter demo

dashboard: $(READY)
	$(BIN)/meter dashboard

# Every figure of docs/performance.md; about an hour on two cores that do nothing else. Each part can be run alone.
bench: bench-serving bench-batch bench-rows bench-dev bench-training

bench-serving: $(READY)
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/serving.py --backbone resnet18

bench-batch: $(READY)
	$(BIN)/python benchmarks/batch.py

bench-rows: $(READY)
	$(BIN)/python benchmarks/rows.py

bench-dev: $(READY)
	$(BIN)/python benchmarks/dev.py

bench-training: $(READY)
	$(BIN)/python benchmarks/training.py

dev: $(READY)
	$(BIN)/meter dev

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

check: lint ## the fast loop: format, lint, imports, types and the quick tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not browser" --durations=5

test: lint ## all tests; files stay together, as their tests share what they made; three at once, as the servers' tests mostly wait
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=15

test-deploy: $(READY) ## both servers behind nginx, which has to be there: apt-get install nginx-light chromium
	$(BIN)/python -m pytest -m deploy --durations=5 meter_pipeline_tests/deploy

lock: ## pin what a fresh venv gets today: constraints.txt, and requirements*.txt with hashes, for all systems
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	(echo "# Made by 'make lock' from a fresh venv on $$(uname -s) with $$($(PYTHON) --version)."; \
		build/lock/bin/python -m pip freeze --exclude-editable) > constraints.txt
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	for extra in "" dev; do \
		file=requirements$${extra:+-$$extra}.txt; \
		build/lock/bin/uv pip compile pyproject.toml $${extra:+--extra $$extra} --quiet --universal --python-version 3.11 \
			--generate-hashes --no-annotate --no-header --constraint constraints.txt --output-file build/$$file && \
		(echo "# Made by 'make lock': every package with the hashes of its files. pip install --no-deps --require-hashes -r $$file"; \
			cat build/$$file) > $$file || exit 1; \
	done

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
