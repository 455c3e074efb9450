# make demo: the first look, offline and without keys.   make test: the whole suite.   Both create .venv when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
INPUTS := pyproject.toml constraints.txt $(wildcard src/llmmigrate/logs/native/*.[ch])
AXE := .axe/node_modules/axe-core/axe.min.js

.PHONY: demo test gateways browser price-sources lint fix goldens docs bench clean

demo: $(VENV)/.installed
	$(BIN)/llmmigrate analyze samples/logs.jsonl
	$(BIN)/llmmigrate estimate samples/logs.jsonl

test: $(VENV)/.installed-test
	-@$(MAKE) --no-print-directory price-sources
	$(BIN)/pytest --numprocesses logical --dist loadfile

gateways: $(VENV)/.installed-gateways

# Wheels of price libraries, as data for tests: our tables are held against them. Neither is installed for it.
price-sources: $(VENV)/price-sources/.fetched

browser: $(AXE)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/clang-format --dry-run -Werror src/llmmigrate/logs/native/*.[ch]
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/.installed-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i src/llmmigrate/logs/native/*.[ch]

goldens: $(VENV)/.installed-test
	$(BIN)/python -m tools.screens

docs: $(VENV)/.installed-test
	$(BIN)/python -m tools.make_docs

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks.run

clean:
	rm -rf $(VENV) .mypy_cache .venv-litellm .node .axe .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "llmmigrate needs Python 3.11 or later: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of dependencies, so that a second run installs nothing.
$(VENV)/.installed: $(INPUTS) | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-test: $(INPUTS) | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/price-sources/.fetched: Makefile | $(BIN)/python
	$(PIP) download --no-deps --only-binary :all: --dest $(@D) genai-prices==0.2.3 litellm==1.109.1
	@touch $@

# LiteLLM needs other versions of shared packages, so it lives apart; nginx and HAProxy come from the system.
$(VENV)/.installed-gateways: $(INPUTS) | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable '.[test,gateways]'
	$(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/pip --quiet --disable-pip-version-check install 'litellm[proxy]==1.106.2' prometheus-client
	npm install --silent --no-save --no-package-lock --prefix .node openai@6
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed

# A folder of its own: npm removes from a folder what it did not just install.
$(AXE):
	npm install --silent --no-save --no-package-lock --prefix .axe axe-core@4.14.1

$(VENV)/.installed-bench: $(INPUTS) | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable '.[test,bench]'
	@touch $@ $(VENV)/.installed
