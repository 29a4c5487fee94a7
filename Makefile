# Each from a clean clone:  make demo   make test   make thorough
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := .venv-extras

.PHONY: demo test quick thorough lint types unit browser extras docs dist locked lock fuzz kill soak gpu clean

# Trains a supernet on scikit-learn's digits, searches it, exports three networks, trains twelve architectures alone to
# see whether the ranking is right, and writes a page.
# One thread: networks this small gain little from a second one, and lose much when the machine is busy.
demo: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/supernet run --out runs/demo --overwrite --retrain 12 --retrain-steps 150 --workers 2

test: lint types quick

# Also whole trainings of every method, processes of their own and every pair of methods: about twenty minutes more.
thorough: lint types unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m supernet.catalog --check

types: $(STAMP)
	$(BIN)/mypy

# Two processes of one thread each: small networks gain nothing from more threads.
unit: $(STAMP) browser
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2

# What needs no whole training, process of its own or browser: twelve minutes.
quick: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 -m "not slow"

# The report is tested in a real browser; on Debian and Ubuntu as root it is installed if missing.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
	  command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
	  echo "No browser was found: install chromium, or set SUPERNET_NO_BROWSER=1 to leave its tests out."

# The tests of what needs heavy extras, in an environment of its own: five minutes to install, several gigabytes.
extras: $(EXTRAS)/.installed
	OMP_NUM_THREADS=1 $(EXTRAS)/bin/pytest --numprocesses 2 tests/deploy tests/measure tests/pretrained \
	  tests/search/test_published_searchers.py tests/runs/test_results.py tests/workers

$(EXTRAS)/.installed: pyproject.toml
	$(PYTHON) -m venv $(EXTRAS)
	$(EXTRAS)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --editable '.[dev,openvino,executorch,int8,optuna,analysis,ray]'
	touch $@

# The documentation site, in build/site; a link to nothing fails. No network is needed once the tools are installed.
docs: $(VENV)/.docs
	OMP_NUM_THREADS=1 $(BIN)/python website/stage.py build/docs
	$(BIN)/zensical build --clean --strict --config-file mkdocs.yml

$(VENV)/.docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

# Five hundred damaged files against every verb that reads them; a quarter of an hour.
fuzz: $(STAMP)
	OMP_NUM_THREADS=1 PYTHONPATH=tests:tests/support $(BIN)/python -m tests.hardening.fuzz

# Two hundred kills at random moments over verbs and methods, each compared with what ran through; an hour.
kill: $(STAMP)
	PYTHONPATH=tests:tests/support $(BIN)/python -m tests.hardening.kills

# Ten thousand steps of training, and five thousand architectures searched and evaluated, in processes that may not grow;
# a quarter of an hour.
soak: $(STAMP)
	OMP_NUM_THREADS=1 PYTHONPATH=tests:tests/support $(BIN)/python -m tests.hardening.soak

# Laws, resuming, arithmetic, speed and memory on a CUDA device, where there is one; a table.
gpu: $(STAMP)
	$(BIN)/python benchmarks/gpu.py

# Wheel and source archive in dist/, the wheel installed and used in an empty environment.
dist: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	PYTHON=$(PYTHON) sh website/try_wheel.sh

# What continuous integration installs: the releases of requirements/ci.txt and no others, each checked by its hash.
# The targets above then find an environment that is installed.
locked:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/ci.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP) $(VENV)/.docs

# Writes requirements/ci.txt anew after a change of the dependencies: releases that still satisfy them stay. For newer
# ones: make lock UPGRADE=--upgrade, or UPGRADE='--upgrade-package numpy'.
lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	build/lock/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --extra dev --extra docs \
	  $(UPGRADE) --custom-compile-command 'make lock' --output-file requirements/ci.txt pyproject.toml

# Modules are compiled by all cores, which is faster than pip; not to compile them costs every command seconds where
# Python may not write what it has compiled (PYTHONDONTWRITEBYTECODE).
$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[dev]'
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	touch $@

clean:
	rm -rf $(VENV) $(EXTRAS) build dist .mypy_cache .pytest_cache .ruff_cache
