# make run        set everything up, then a model's whole life in a few minutes
# make test       the same set-up with the development tools, then linters, types and tests
# make test-slow  the tests that take minutes: the full nano recipe among them
# make lint       linters and types only
#
# TORCH=...   another build of torch: a version, a wheel file, a URL. On Linux the default brings CUDA,
#             several gigabytes; name a CPU wheel where there is no NVIDIA card.
# RECIPE=...  another recipe for `make run`

VENV := .venv
BIN := $(VENV)/bin
RECIPE ?= nano
TORCH ?= torch==2.13.0

# The first Python from 3.11 on that runs.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; \
	done)

# What the C++ kernels are built from.
NATIVE := hatch_build.py $(wildcard native/*.h native/*/*)

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test test-slow lint
.DELETE_ON_ERROR:

run: $(VENV)/.installed
	@$(BIN)/phinery run $(RECIPE)

test: lint
	$(BIN)/python -m pytest -n 2 -m 'not slow'

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright

$(VENV)/.torch:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed; name one with PYTHON=..." >&2; exit 1; }
	@echo "setting up $(VENV), once; downloads may take minutes"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install $(TORCH) numpy -c constraints.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml constraints.txt $(NATIVE)
	@$(PIP) install -c constraints.txt -e '.[evaluate]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.torch pyproject.toml constraints.txt $(NATIVE)
	@$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.installed
