# Everything a checkout needs: `make demo`, `make test`. The first call sets up .venv by itself.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -qq
INPUTS := pyproject.toml constraints.txt

# What `make test` and `make benchmark` pass on: make test ARGS="-k chain -x"
ARGS   ?=
# Processes at a time; JOBS=1 for one core, and for a test that is looked at in a debugger.
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test scenarios planted twice lint style types imports format benchmark compiled clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=python3.12 picks the interpreter, ARGS='...' is passed on by test and benchmark,"
	@echo "  JOBS=1 keeps test, scenarios and planted to one process at a time."

demo: $(VENV)/.set-up-run ## restore the shipped real chain over several shards, verify it, say what was done
	@$(BIN)/increstore demo

# Many tests start whole commands. Where PYTHONDONTWRITEBYTECODE is set, each of them, and each process
# of pytest, would compile every module again.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.set-up-check ## run every test
	@$(BIN)/python -m pytest -q $(if $(filter-out 1,$(JOBS)),-n $(JOBS) --dist worksteal) $(ARGS)

# Together more than 20,000 runs.
SEEDS  ?= 0..249

scenarios: $(VENV)/.set-up-check ## run every shipped scenario from many seeds, in simulation
	@$(BIN)/increstore run scenarios --on simulation --seeds $(SEEDS) --jobs $(JOBS)

planted: $(VENV)/.set-up-check ## plant known bugs: each of them must be caught
	@$(BIN)/python -m tests.planted --jobs $(JOBS)

twice: $(VENV)/.set-up-check ## run seeds twice, in processes that differ in all that must not matter
	@$(BIN)/python tools/twice.py scenarios --seeds 0..9

# Three targets, so that `make --keep-going lint` shows every complaint at once.
lint: style types imports ## check style, types and the direction of imports
style: $(VENV)/.set-up-check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
types: $(VENV)/.set-up-check
	@$(BIN)/mypy
imports: $(VENV)/.set-up-check
	@$(BIN)/lint-imports

format: $(VENV)/.set-up-check ## rewrite the code in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

benchmark: $(VENV)/.set-up-benchmark ## measure a restore beside DuckDB, SQLite and Polars
	@$(BIN)/python benchmarks/restore.py $(ARGS)

# Elsewhere than the sources: beside them it would be run instead of what has been changed since.
# PROFILED=1 builds twice, for gcc to know from some runs which ways are taken.
define BUILD_COMPILED
	rm -rf build/compiled build/lib* build/bdist*
	INCRESTORE_COMPILED=1 INCRESTORE_PROFILE=$(1) PIP_CONSTRAINT=$(CURDIR)/constraints.txt \
		$(PIP) install --no-deps --target build/compiled .
endef
compiled: $(VENV)/.set-up-check ## build the simulation as machine code into build/compiled; try it
ifdef PROFILED
	rm -rf build
	$(call BUILD_COMPILED,write)
	PYTHONPATH=build/compiled $(BIN)/python benchmarks/simulation_increstore.py --seeds 100
	$(call BUILD_COMPILED,read)
else
	$(call BUILD_COMPILED)
endif
	@$(BIN)/python -m pytest -q tests/test_compiled_build.py
	@echo "compiled: PYTHONPATH=build/compiled $(BIN)/increstore run .. uses it"

clean: ## remove .venv, caches and the benchmark's work folder
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache .coverage benchmarks/.work
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than its inputs when the installed packages match them. The demo needs no extras,
# and every other set-up holds what the demo needs.
$(VENV)/.set-up-run: EXTRAS =
$(VENV)/.set-up-check: EXTRAS = [test,lint]
$(VENV)/.set-up-benchmark: EXTRAS = [benchmark]

$(VENV)/.set-up-%: $(INPUTS) | $(BIN)/python
	@echo "set-up: installing increstore$(EXTRAS) into $(VENV)" >&2
	@$(PIP) install --constraint constraints.txt --editable '.$(EXTRAS)' || { \
		echo "set-up: pip could not install the packages (its message is above)." >&2; \
		echo "        Check the network, or the index that pip is configured to use; then repeat." >&2; \
		exit 1; }
	@touch $@ $(VENV)/.set-up-run

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
		echo "set-up: no $(PYTHON) found; install Python 3.11 or newer, or name one:" >&2; \
		echo "        make demo PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "set-up: $(PYTHON) is `$(PYTHON) --version 2>&1 | head -n 1`; expected Python 3.11 or newer." >&2; \
		echo "        Name a newer one: make demo PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "set-up: $(PYTHON) cannot make virtual environments: its venv or ensurepip is missing." >&2; \
		echo "        On Debian and Ubuntu: apt-get install python3-venv; then repeat." >&2; exit 1; }
	@echo "set-up: making $(VENV) with `$(PYTHON) --version 2>&1`" >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
