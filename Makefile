# Everything a newcomer needs: `make demo` and `make test`. Each creates what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Most tests wait for servers, so that more of them run at once than there are cores.
JOBS ?= 4

.PHONY: demo test check format stubs bench clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[embedded,shell,fast]" --group dev
	touch $(READY)

demo: $(READY)  ## an embedded broker, five services, and calls to them
	$(BIN)/celery-rpc demo

test: $(READY)  ## the whole test suite
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

check: $(READY)  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

stubs: $(READY)  ## stubs/ anew, from the example services
	$(BIN)/python -m tests.shop

bench: $(READY)  ## ours and stock Celery side by side
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) .venvs .pytest_cache .mypy_cache .ruff_cache
