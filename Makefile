# Each target does its own set-up: `make demo` or `make test` work alone on a fresh machine.
# PYTHON chooses the interpreter, VENV the environment.

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
STAMP := $(VENV)/.installed
EXTRAS := export,slurm,ray,c3d,h36m,3dhp,tensorboard

.PHONY: demo test slow check format lint types imports bench clean

demo: $(STAMP)
	$(BIN)/auglift demo

# A process for each core, and one thread in each. A file's tests share what its fixtures make.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto --dist loadfile

slow: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -m slow -n auto --dist loadfile

check: lint types imports test

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

bench: $(STAMP)
	for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# rtmlib is installed beside us and never resolved: it asks for plain onnxruntime, which would
# overwrite the files of onnxruntime-gpu without a word.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "auglift needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) lacks the venv module: on Debian, apt-get install python3-venv"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -c constraints.txt -e ".[$(EXTRAS)]" --group dev
	$(BIN)/pip install --quiet --no-deps -c constraints.txt rtmlib tqdm
	@touch $@

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
