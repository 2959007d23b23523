# rushlight: every target sets up what it needs. `make` alone lists the targets.

PYTHON ?= python3
VENV ?= .venv
# One compiler at a time per core; affinity and container limits count.
CORES := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(CORES)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet
STAMPS := $(VENV)/stamps
SOURCES := $(shell find csrc src/rushlight -name '*.cpp' -o -name '*.h' -o -name '*.py' \
	-o -name py.typed) CMakeLists.txt pyproject.toml README.md LICENSE
# PyTorch and JAX, what rushlight is compared with, live in an environment of their own.
ORACLE := build/oracle

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo test lint bench docs sanitize stubs dev wheel parity oracle clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 14

demo: $(STAMPS)/demo ## the seed's program, then a digit classifier with its loss curve
	@$(BIN)/python examples/seed.py
	@echo
	@$(BIN)/python examples/digits.py $(DIGITS)

test: $(STAMPS)/test ## build and run the tests; TESTS=tests/nn to choose
	$(BIN)/python -m pytest $(TESTS)

lint: $(STAMPS)/lint stubs ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMPS)/installed $(ORACLE)/bench ## rushlight beside PyTorch and JAX; BENCH='--only seed', '--plot ratios.png', '--sweep width'...
	$(BIN)/python -m benchmarks --peer-python $(ORACLE)/bin/python $(BENCH)

docs: $(STAMPS)/docs ## the documentation as a site in build/site
	$(BIN)/python -m mkdocs build --quiet

parity: oracle ## compare with PyTorch 2.13
	$(ORACLE)/bin/python -m pytest tests/parity

oracle: $(ORACLE)/parity

wheel: $(STAMPS)/wheel ## a wheel in dist/

stubs: src/rushlight/_core.pyi ## the core's stub, beside the sources for editors and mypy

dev: $(STAMPS)/tools $(STAMPS)/test ## editable: Python changes count at once; again after C++ changes
	$(PIP) --no-build-isolation --no-deps --editable .
	@touch $(STAMPS)/installed $(STAMPS)/test

# The core with its sanitizers in a tree of its own, so that other targets keep theirs.
SANITIZED := build/sanitized
sanitize: $(STAMPS)/test ## the tests on a core with address and undefined behaviour sanitizers
	$(PIP) --no-build-isolation --no-deps --force-reinstall --target $(SANITIZED)/site \
		--config-settings=build-dir=$(SANITIZED)/tree --upgrade \
		--config-settings=cmake.define.RUSHLIGHT_SANITIZE=ON .
	LD_PRELOAD="$$($${CXX:-c++} -print-file-name=libasan.so) $$($${CXX:-c++} -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	PYTHONMALLOC=malloc PYTHONPATH=$(CURDIR)/$(SANITIZED)/site $(BIN)/python -m pytest -p no:cacheprovider $(TESTS)

clean: ## remove all that was made here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis digits-loss.png
	rm -f src/rushlight/_core.pyi
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- set-up; a stamp is newer than all that it was made from

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "rushlight needs Python 3.10 or newer; PYTHON=/path/to/python3 chooses one" >&2; exit 1; }
	@command -v $${CXX:-c++} >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || \
		{ echo "rushlight needs a C++20 compiler, such as g++ 12 or clang 14 (CXX=... chooses one)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "python -m venv failed: on Debian and Ubuntu, install python3-venv" >&2; exit 1; }
	@mkdir -p $(STAMPS)
	@touch $@

# The build's own requirements stand in pyproject.toml. They are installed here, not in pip's passing
# build environment, so that the object files of the last build stay valid.
$(STAMPS)/tools: $(STAMPS)/venv pyproject.toml
	@echo "installing the build tools"
	@$(PIP) cmake ninja $$(sed -nE 's/^requires = \[(.*)\]/\1/p' pyproject.toml | tr -d '"' | tr ',' ' ')
	@touch $@

$(STAMPS)/wheel: $(STAMPS)/tools $(SOURCES)
	@echo "building rushlight on $(CMAKE_BUILD_PARALLEL_LEVEL) cores (minutes the first time, then only what changed)"
	@rm -rf dist
	@$(BIN)/python -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .
	@touch $@

$(STAMPS)/installed: $(STAMPS)/wheel
	@$(PIP) --no-deps --force-reinstall dist/rushlight-*.whl
	@touch $@

# One stamp per extra of pyproject.toml. rushlight itself stays as it is installed, editable perhaps.
$(STAMPS)/demo $(STAMPS)/test $(STAMPS)/lint $(STAMPS)/docs: $(STAMPS)/%: pyproject.toml | $(STAMPS)/installed
	@echo "installing what '$*' needs"
	@$(PIP) "rushlight[$*]"
	@touch $@

$(ORACLE)/parity $(ORACLE)/bench: $(ORACLE)/%: $(STAMPS)/wheel
	@echo "installing what '$*' needs in $(ORACLE)"
	@test -x $(ORACLE)/bin/python || $(PYTHON) -m venv $(ORACLE)
	@wheel=$$(echo dist/rushlight-*.whl) && $(ORACLE)/bin/python -m pip install --quiet "$$wheel[$*]"
	@$(ORACLE)/bin/python -m pip install --quiet --no-deps --force-reinstall dist/rushlight-*.whl
	@touch $@

src/rushlight/_core.pyi: $(STAMPS)/installed
	@cp "$$($(BIN)/python -c 'import rushlight._core as core; print(core.__file__.rpartition("/")[0])')/_core.pyi" $@
