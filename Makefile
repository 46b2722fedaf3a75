# make reports   run the labs, make their reports in reports/local   (LABS="01 02" PROFILE=smoke|quick|full JOBS=2)
# make test      lint, import contract, unit tests, every notebook under the smoke profile   (TESTS=tests/test_x.py)
# make check     lint, import contract, quick unit tests: a minute, for the inner loop
# make lab       JupyterLab on the notebooks
# make numbers   renew the numbers in readings and README from the published reports
# make wheel     labkit with notebooks and bundled data as one file, in dist/
# make outputs   renew the stored outputs that nbval compares (after changing a notebook)
# make clean     remove the environment, local reports and what runs left; data and published reports stay

PYTHON ?= python3
PROFILE ?= $(if $(LABKIT_PROFILE),$(LABKIT_PROFILE),quick)
LABS ?=
JOBS ?=
TESTS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

.PHONY: help reports lint test check lab numbers outputs wheel clean

help:
	@sed -n 's/^# //p' Makefile

# Reports need the package alone, tests its tools too. Python compiles what is imported when it is
# first imported: faster than to compile all of TensorFlow here.
define SET_UP
@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "labkit needs Python 3.11, 3.12 or 3.13; %s is %d.%d. Try: make PYTHON=python3.12 ..." % (sys.executable, *v))'
@echo "Setting up $(VENV) (once; TensorFlow is large, this takes a few minutes) ..."
@$(PYTHON) -m venv $(VENV)
@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.$(1)'
endef

$(READY): pyproject.toml constraints.txt
	$(call SET_UP,)
	@touch $@

$(READY_DEV): pyproject.toml constraints.txt
	$(call SET_UP,[dev])
	@touch $(READY) $@

reports: $(READY)
	@$(BIN)/labkit run $(LABS) --profile $(PROFILE) $(if $(JOBS),--jobs $(JOBS))

# Two processes; what is in one file stays in one of them, a notebook's cells above all.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadscope --durations 20

lint: $(READY_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

test: lint
	$(PYTEST) $(TESTS)

check: lint
	$(PYTEST) tests -m "not slow and not smoke and not browser" $(TESTS)

lab: $(READY)
	$(BIN)/jupyter lab notebooks

numbers: $(READY)
	@$(BIN)/python scripts/renew_numbers.py

outputs: $(READY_DEV)
	$(BIN)/python scripts/store_outputs.py

wheel: $(READY_DEV)
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/labkit-*.whl

clean:
	rm -rf $(VENV) build dist *.egg-info reports/local reports/.work .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
