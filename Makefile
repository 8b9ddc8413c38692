# make app      serve the explorer on http://localhost:5006/explorer
# make test     everything that is checked: ruff, mypy, import contracts, pytest
# make bench    every figure of the README, measured beside its reference
# make soak     the faults of tests/faults in large numbers, then half an hour of training and watching (MINUTES=30)
# make lower-bounds   the tests that need no browser, with the oldest versions that pyproject.toml allows (some GB)
# make audit    a report, which never fails, of known vulnerabilities in the pinned versions
# PYTHON=python3.12 chooses the interpreter of .venv, PORT=8080 the port of the app.

PYTHON ?= python3
PORT ?= 5006
MINUTES ?= 30

BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: install app browser lint test soak bench lower-bounds audit

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@test -x $(BIN)/pip || command -v $(PYTHON) > /dev/null || \
		{ echo "There is no $(PYTHON): install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "vaeviz needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
			"name another: make PYTHON=/path/to/python3"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[tests,notebooks]'
	@touch $@

app: $(INSTALLED)
	@$(BIN)/python -c 'import socket; socket.create_server(("localhost", $(PORT)))' 2> /dev/null || \
		{ echo "Port $(PORT) is taken: stop what listens there, or choose another: make app PORT=5007"; exit 1; }
	@echo "The explorer: http://localhost:$(PORT)/explorer (Ctrl-C ends it)"
	@$(BIN)/panel serve apps/explorer.py --setup apps/warm_up.py --address localhost --port $(PORT) --index explorer

# The tests drive a real Chromium: the system's own, else Debian's, else Playwright's.
browser: $(INSTALLED)
	@if command -v chromium || command -v chromium-browser || command -v google-chrome; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then apt-get update && apt-get install -y chromium; \
	else $(BIN)/playwright install chromium; fi

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: browser lint
	$(BIN)/pytest

# Every figure of the README's table.
bench: browser
	$(BIN)/python -m benchmarks

soak: $(INSTALLED)
	VAEVIZ_TEST_KILLS=50 VAEVIZ_TEST_SESSIONS="20 100" VAEVIZ_TEST_EXAMPLES=3000 $(BIN)/pytest tests/faults
	$(BIN)/python -m tests.faults.soak --minutes $(MINUTES)

# Old versions warn of new ones, so that warnings are no errors here.
lower-bounds:
	test -x .venv-lower/bin/uv || { $(PYTHON) -m venv .venv-lower && .venv-lower/bin/python -m pip install uv; }
	.venv-lower/bin/uv pip install --python .venv-lower/bin/python --resolution lowest-direct --editable '.[tests]'
	.venv-lower/bin/python -m pytest -o filterwarnings=ignore $(addprefix --ignore=tests/,browser notebooks benchmarks faults)

audit:
	@test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit && \
		.venv-audit/bin/python -m pip install --quiet pip-audit; } || true
	@.venv-audit/bin/python scripts/audit.py || echo "audit: NOT RUN: pip-audit can't be installed"
