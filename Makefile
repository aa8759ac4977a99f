# What there is to do here. `make` alone lists it.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON := .venv/bin/python
INSTALLED := .venv/.installed

.PHONY: help setup engine sandbox server demo test attack check docs bench bench-compare clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) ## Make the Python environment in .venv

$(INSTALLED): pyproject.toml scripts/setup.sh
	@scripts/setup.sh
	@touch $@

engine: $(INSTALLED) ## See that a Docker engine answers (as root: install and start one)
	@scripts/engine.sh

sandbox: engine ## Build the sandbox's image, unless it is up to date
	@$(PYTHON) -m sandbox.docker.image

server: $(INSTALLED) ## Install the vLLM that the tests start (CPU, 3.5 GB, outside the checkout)
	@$(PYTHON) -m tests.tiny_glm install

demo: sandbox ## Watch the agent fix a bug in a real sandbox; no model server is needed
	@.venv/bin/sii demo
	@echo "(sii is in .venv/bin: \`. .venv/bin/activate\` puts it on your PATH)"

test: engine ## Run all tests, those with Docker and with a real vLLM server too
	@scripts/test_tools.sh
	@$(MAKE) -j2 sandbox server
	@$(PYTHON) -m tests.tiny_glm build
	@scripts/run_tests.sh $(PYTEST_ARGS)

attack: sandbox ## Attack sii with what others might send: count what held, measure the bombs
	@scripts/test_tools.sh
	@$(PYTHON) -m pytest -m hostile -p tests.hostile.counting $(PYTEST_ARGS)

check: $(INSTALLED) ## Check style, words, types and the import contract
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@$(PYTHON) -m codespell_lib
	@$(PYTHON) -m scripts.check_words
	@.venv/bin/mypy
	@.venv/bin/lint-imports

docs: $(INSTALLED) ## Build the documentation as a site, in build/docs
	@$(PYTHON) -m sphinx -b html -E -W --keep-going -q -d build/doctrees docs build/docs
	@echo "The site is in build/docs: open build/docs/index.html"

bench: sandbox ## Measure speed and memory; the figures also go to benchmarks/results/*.json
	@$(PYTHON) -m benchmarks $(BENCH)

bench-compare: $(INSTALLED) ## Show two results of bench side by side: A=OLD.json B=NEW.json
	@$(PYTHON) -m benchmarks.compare $(A) $(B)

clean: ## Remove the environment and what the tools cached in the checkout
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
