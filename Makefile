# `make demo` and `make test` need nothing but Python >= 3.11 with venv: each installs what it needs into .venv.
PYTHON ?= python3
DURATION ?= 15
ARGS ?=
TARGET ?= message
SECONDS ?= 60
CHILDREN ?= 2
YEARS ?= 10
# One process more than there are processors: tests with real peers mostly wait.
WORKERS ?= $(shell expr $$(nproc) + 1)
BIN := .venv/bin

.PHONY: help demo test check bench fuzz sim mutation requirements dist clean

help:
	@echo "make demo          watch registrations live for $(DURATION) s (DURATION=60 for longer)"
	@echo "make test          run all tests in $(WORKERS) processes (ARGS='-k digest' for some)"
	@echo "make check         ruff and mypy --strict"
	@echo "make bench         benchmarks, with their bars"
	@echo "make fuzz          fuzz one target for a while (TARGET=uri SECONDS=60)"
	@echo "make sim           simulate $(YEARS) registration-years (YEARS=1000 for more)"
	@echo "make mutation      break the code in small ways; do the tests notice? (most of an hour)"
	@echo "make requirements  catalogue rows that no test names"
	@echo "make dist          wheel and sdist into dist/"
	@echo "make clean         remove .venv and caches"

demo: .venv/daemon.installed
	$(BIN)/sipcore demo --duration $(DURATION)

test: .venv/test.installed tests/interop/ami_client/node_modules
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

check: .venv/test.installed
	$(BIN)/ruff check
	$(BIN)/mypy

bench: .venv/bench.installed benchmarks/jssip/node_modules
	$(BIN)/python -m benchmarks

fuzz: .venv/fuzz.installed
	$(BIN)/python -m fuzz $(TARGET) --seconds $(SECONDS)

sim: .venv/test.installed
	$(BIN)/python -m sipcore.testing.sim --years $(YEARS) --processes $$(nproc) $(ARGS)

# Unchanged mutants keep their result; `rm -r mutants` starts again.
mutation: .venv/mutation.installed
	$(BIN)/mutmut run --max-children $(CHILDREN) $(ARGS)
	$(BIN)/python -m mutation tables || true
	$(BIN)/python -m mutation report

requirements: .venv/test.installed
	$(BIN)/python -m pytest --collect-only --quiet --requirements $(ARGS)

dist: .venv/test.installed
	$(BIN)/pip install --quiet build
	$(BIN)/python -m build

clean:
	rm -rf .venv benchmarks/jssip/node_modules tests/interop/ami_client/node_modules build dist mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis

# JsSIP is one of the peers of bench_syntax; without npm its column is left out.
benchmarks/jssip/node_modules: benchmarks/jssip/package.json
	@command -v npm >/dev/null || { echo "no npm: JsSIP is not compared"; exit 0; }; \
	npm install --prefix benchmarks/jssip --no-package-lock --no-fund --no-audit --silent && touch $@

# ami-io is a client of AMI; without npm the tests with it are skipped.
tests/interop/ami_client/node_modules: tests/interop/ami_client/package.json
	@command -v npm >/dev/null || { echo "no npm: ami-io is not tested with"; exit 0; }; \
	npm install --prefix tests/interop/ami_client --no-package-lock --no-fund --no-audit --silent && touch $@

# One stamp for each extra; a changed pyproject.toml installs again.
.venv/%.installed: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --editable '.[$*]'
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "sipcore needs Python >= 3.11; name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "no venv module; on Debian: apt-get install python3-venv"; exit 1; }
