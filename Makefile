# The bridge from a fresh clone. Needs make, and Python 3.11 or newer with venv; nothing else.
# Another Python: make demo PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# A set-up is done again only when what it installs has changed, by content and not by date.
sum = $(shell cat pyproject.toml requirements-build.txt $(1) | cksum | tr -dc 0-9)
RUN := $(VENV)/.run-$(call sum,requirements.txt)
TEST := $(VENV)/.test-$(call sum,requirements-test.txt)

.PHONY: help demo run test check system test-system soak bench corpus lock

help:
	@echo 'make demo         every bundled sample through the bridge into a local Heap'
	@echo 'make run          the bridge on port 8000'
	@echo 'make test         every test, on SQLite and PostgreSQL'
	@echo 'make system       what test-system needs: Debian packages, and the Stripe CLI of npm'
	@echo 'make test-system  the tests with Chromium and the Stripe CLI'
	@echo 'make soak         faults and load in the long form, with the figures of docs/guarantees.md'
	@echo 'make check        formatter, linter, types, import rules'
	@echo 'make bench        how fast it is, beside the floors; needs what make system installs'
	@echo 'make corpus DIR=  what the adapters make of a folder of payloads'
	@echo 'make lock         write the requirements files anew from pyproject.toml'

demo: $(RUN)
	$(BIN)/bridge demo

run: $(RUN)
	$(BIN)/bridge serve

test: $(TEST)
	$(BIN)/python -m pytest --ignore=tests/system -n auto --dist worksteal

test-system: $(TEST)
	$(BIN)/python -m pytest tests/system

# SOAK_MINUTES=5 make soak: the short form. STEPS names some of its steps.
soak: $(TEST)
	@$(BIN)/python -m tests.soak $(STEPS)

# Program:package. What is there already is left alone.
DEBIAN := chromium:chromium chromedriver:chromium-driver pgbouncer:pgbouncer faketime:faketime wrk:wrk
STRIPE_CLI := @stripe/cli@1.52.0

system:
	@missing=; for one in $(DEBIAN); do \
		PATH="$$PATH:/usr/sbin" command -v "$${one%%:*}" >/dev/null || missing="$$missing $${one##*:}"; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "installing$$missing"; \
		[ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null || { \
			echo "apt-get cannot install$$missing: it needs Debian or Ubuntu, and root or sudo" >&2; exit 1; }; \
	fi
	@[ -x .system/node_modules/.bin/stripe ] || npm install --prefix .system --no-package-lock \
		--no-save --no-audit --no-fund --ignore-scripts --silent $(STRIPE_CLI)

check: $(TEST)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(TEST)
	@$(BIN)/python -m bench $(FIGURES)

corpus: $(RUN)
	@$(BIN)/python -m bridge.tools.corpus $(if $(DIR),"$(DIR)")

# Pins stay as they are unless they must move; all of them move with: make lock UPGRADE=--upgrade
LOCK = $(BIN)/uv pip compile $(UPGRADE) --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header
BUILD := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")

lock: $(VENV)/.made
	$(PIP) install uv
	$(BIN)/python -c '$(BUILD)' | $(LOCK) - -o requirements-build.txt
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml --extra test -c requirements.txt -o requirements-test.txt

# pip cannot hold a hashed file and the project itself in one go; and the project is built with
# what the lock names (--no-build-isolation), not with whatever is newest that day.
$(RUN): | $(VENV)/.made
	$(PIP) install --require-hashes -r requirements-build.txt -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.run-*
	@touch $@

$(TEST): | $(RUN)
	$(PIP) install --require-hashes -r requirements-test.txt
	@rm -f $(VENV)/.test-*
	@touch $@

$(VENV)/.made:
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'The bridge needs Python 3.11 or newer with venv, and $(PYTHON) is not that.' >&2; \
		echo 'Where another is installed, name it: make $(MAKECMDGOALS) PYTHON=python3.13' >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@
