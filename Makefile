# Two commands set everything up: `make demo` and `make test`. The rest are parts of them.
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
RUN := tests/lab/.run
INVENTORY := $(RUN)/inventory.yml
UNIT := --ignore tests/lab -m "not lab and not sshd and not long and not soak"

# Without kept bytecode each process of the tests compiles all of them anew: 10 s of CPU each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-long test-lab check check-static check-tests soak reliability env lab lab-down bench fuzz audit record docs lock clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: env ## the ImageMagick story on real servers; without an engine the recorded one
	@PATH="$(abspath $(BIN)):$$PATH" sh tests/lab/demo.sh

test: env ## everything: `make check`, then the tests on real servers
	@[ "$${DRIFTSCAN_LAB:-}" = off ] || sh .ci/tools.sh
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-full} $(MAKE) --no-print-directory check
	@if [ "$${DRIFTSCAN_LAB:-}" = off ]; then \
	  echo "DRIFTSCAN_LAB=off: the tests on real servers were not run"; \
	else \
	  $(BIN)/python -m tests.lab up && . $(RUN)/env.sh && \
	  $(MAKE) --no-print-directory -j 2 --output-sync=target test-long test-lab; \
	fi

# At once: those of the lab mostly wait for its engine, so two files of them run beside each other;
# what one makes others do not touch. The first that needs a machine makes it, from nothing in many
# minutes, in which another waits for its turn.
test-long:
	@$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/lab -m "(sshd or long) and not lab and not soak"
test-lab:
	@$(BIN)/python -m pytest -n 2 --dist loadfile --timeout 3600 -m "lab and not soak"

check: env ## style, types, floors, shell, unit tests: no network, no engine
	@$(MAKE) --no-print-directory -j 2 check-static check-tests

check-static:
	@$(BIN)/ruff format --check -q driftscan tests
	@$(BIN)/ruff check -q driftscan tests
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports > $(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }
	@command -v shellcheck > /dev/null || { echo "make check needs shellcheck: apt-get install shellcheck" >&2; exit 1; }
	@$(BIN)/driftscan script | shellcheck -s sh -S warning -
	@$(BIN)/driftscan script --collector 2> /dev/null | shellcheck -s sh -S warning -
	@shellcheck -S warning tests/lab/*.sh tests/lab/recipes/*.sh .ci/*.sh .ci/run
# Four at once, as half of them wait; each begins with a part of the files and takes from the others'
# when it is through. The first time one compiles all tests for the four.
check-tests:
	@[ -d tests/__pycache__ ] || $(BIN)/python -m pytest --co -qq $(UNIT) > /dev/null
	@$(BIN)/python -m pytest -q -n 4 --dist worksteal $(UNIT)

soak: env ## load, crashes and faults at length: many minutes
	@$(BIN)/python -m pytest -m soak

reliability: env ## run the acceptance list of trust and write docs/reliability.md with its results
	@$(BIN)/python -m tests.lab up && . $(RUN)/env.sh && \
	  ended=0; \
	  $(BIN)/python -m pytest -q -n 2 -m "case and not lab and not soak" --cases-report || ended=1; \
	  $(BIN)/python -m pytest -q -m "case and lab" --cases-report || ended=1; \
	  $(BIN)/python -m pytest -q -m "case and soak" --cases-report || ended=1; \
	  $(MAKE) --no-print-directory docs; exit $$ended

env: $(VENV)/.ready ## the virtual environment, from hashes
$(VENV)/.ready: requirements.lock pyproject.toml
	@sh .ci/environment.sh $(VENV)
	@touch $@

lab: env ## start the real servers; their inventory is tests/lab/.run/inventory.yml
	@$(BIN)/python -m tests.lab up

lab-down: ## stop them
	@$(BIN)/python -m tests.lab down

bench: env ## what a scan costs, beside peers in the same run
	@$(BIN)/python -m tests.bench

SECONDS ?= 60
fuzz: ## each parser of others' bytes for SECONDS (60) with atheris; what it finds is kept
	@sh .ci/fuzz.sh $(SECONDS)

audit: ## what is known about the locked dependencies
	@sh .ci/audit.sh

record: lab ## record the lab's answers anew for `driftscan demo` and the tests
	@. $(RUN)/env.sh && $(BIN)/driftscan baseline build inventories/demo/web --quiet --cached \
	  --network host --build-arg "BASE=$$DRIFTSCAN_LAB_BASE" \
	  --build-arg "http_proxy=$$DRIFTSCAN_LAB_PROXY" > /dev/null
	@. $(RUN)/env.sh && $(BIN)/python -m tests.lab.record
	@$(MAKE) --no-print-directory docs

docs: env ## write the generated parts of docs/ and the golden reports of the tests anew
	@$(BIN)/python -m tests.generated

lock: env ## write requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --universal --python-version 3.11 --group dev pyproject.toml \
	  --generate-hashes --no-emit-index-url --no-annotate -q -o requirements.lock

clean: ## remove what was made here, but no cache of the lab
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
