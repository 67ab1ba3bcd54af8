# Everything a newcomer needs: `make demo` and `make test`. Each creates what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Most tests wait for servers, so that more of them run at once than there are cores.
JOBS ?= 4

.PHONY: demo test fuzz check format stubs bench clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[embedded,shell,fast]" --group dev
	touch $(READY)

demo: $(READY)  ## an embedded broker, five services, and calls to them
	$(BIN)/celery-rpc demo

test: $(READY)  ## the whole test suite
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(ARGS)

# Each parser of foreign bytes for so many seconds, where atheris is installed.
SECONDS ?= 60
PARSERS ?= reply item answers deliveries report catalog

fuzz: $(READY)  ## what reads bytes of strangers, under atheris
	@$(BIN)/python -c "import atheris" 2>/dev/null \
	  || { echo "skipped: atheris is not installed ($(BIN)/python -m pip install atheris)"; exit 0; }; \
	for parser in $(PARSERS); do \
	  $(BIN)/python -m tests.fuzz $$parser -max_total_time=$(SECONDS) -rss_limit_mb=1024 -timeout=5 || exit 1; \
	done

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
