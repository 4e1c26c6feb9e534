# make quickstart    train three methods on dSprites, write quickstart/report.html and explorer.html
# make test          run the quick tests
# make test-whole    run the others: whole programs, stopped, damaged, side by side, every page's commands
# make test-browser  run those of pages in a browser; skipped where there is no Chromium
# make docs          build the site into site/
# All build .venv first if it is not there; all that is needed is Python >= 3.11.

PYTHON ?= python3
QUICKSTART_DATA ?= dsprites
QUICKSTART_STEPS ?= 1000

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
STARTED := $(VENV)/started

# compiled modules are kept whatever the shell has: the tests import all of them a hundred times over
unexport PYTHONDONTWRITEBYTECODE

.PHONY: quickstart test test-whole test-browser lint docs bench wheel reproduce clean

quickstart: $(STARTED)
	@$(BIN)/python examples/quickstart.py --data $(QUICKSTART_DATA) --steps $(QUICKSTART_STEPS)

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

test-whole: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal \
		-m "whole and not slow and not gpu and not download and not browser"

test-browser: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m browser

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "The site is site/index.html; it needs no server."

# make wheel EXTRAS="lightgbm,hdf5 ray": build, check, install in an environment for each, and run
EXTRAS ?= lightgbm,hdf5
wheel: $(INSTALLED)
	.ci/wheel $(EXTRAS)

bench: $(INSTALLED)
	@for file in benchmarks/[!_]*.py; do \
		test -e "$$file" || { echo "There are no benchmarks yet."; break; }; \
		$(BIN)/python "$$file" || exit 1; \
	done

# make reproduce STUDY=claims (or saddle, selftuning): its tables and figures again, from the runs'
# table that is kept; those that read whole runs ask for RUNS="FOLDER ..."
reproduce: $(INSTALLED)
	@test -f "reproductions/$(STUDY)/analyse.py" || { echo "STUDY must name a folder of reproductions/ with an analyse.py; got '$(STUDY)'. Try make reproduce STUDY=claims"; exit 1; }
	$(BIN)/python "reproductions/$(STUDY)/analyse.py" $(RUNS)

# what can be made again in a moment; .venv and the quickstart's runs stay
clean:
	rm -rf build dist site .venv-wheel .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests examples benchmarks reproductions -name __pycache__ -prune -exec rm -rf {} +

# what the quickstart needs, and what developing needs
$(STARTED): NEEDED := lightgbm
$(INSTALLED): NEEDED := dev
$(STARTED) $(INSTALLED): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable ".[$(NEEDED)]"
	@touch $@
