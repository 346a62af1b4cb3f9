# Python 3.11+ with venv is all that these targets assume; they make everything else themselves.
.PHONY: help demo test lint bench nightly format sample
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(or $(shell command -v uv),$(BIN)/uv)
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest --durations=20 --durations-min=5
# All tests share the cores but those that are marked `alone`.
TOGETHER := --numprocesses=logical --dist=loadfile --no-loadscope-reorder

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: $(READY) ## the main job on embedded servers: data, legacy against optimized, checks, verdict, report
	@$(BIN)/jivsbench demo || { code=$$?; [ $$code -eq 3 ] || exit $$code; echo "The demo worked. Its verdict is CONDITIONAL (exit code 3): production waits for the conditions named above."; }

test: $(READY) ## every test but the nightly ones, with coverage of at least 90 %
	@sh tests/browser/install_chromium.sh; sh tests/load/install_wrk.sh
	$(PYTEST) -m "not nightly and not alone" --benchmark-skip $(TOGETHER) --cov --cov-report=
	$(PYTEST) -m "not nightly and alone" --benchmark-skip --cov --cov-append --cov-fail-under=90 --cov-report=term:skip-covered

lint: $(READY) ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## hot parts as ratios within one run; small jobs; then jivsbench beside its peers (SCALE=0.2 ROUNDS=3)
	@$(UV) sync --quiet --locked --inexact --all-packages --extra standard --group peers
	$(PYTEST) tests/benchmarks --benchmark-only --benchmark-group-by=group --benchmark-columns=median,iqr,ops,rounds
	$(BIN)/python -m tests.benchmarks.service_speed && $(BIN)/python -m tests.benchmarks.peers --scale $(or $(SCALE),0.2) --rounds $(or $(ROUNDS),3)

nightly: $(READY) ## the long suites: full corpora, long loads, packaging
	@sh tests/browser/install_chromium.sh; sh tests/load/install_wrk.sh; sh tests/service/install_sqlmap.sh
	$(PYTEST) -m "not alone" --benchmark-skip --hypothesis-profile=nightly --timeout=3600 -o faulthandler_timeout=3700 $(TOGETHER)
	$(PYTEST) -m alone --benchmark-skip --hypothesis-profile=nightly --timeout=3600 -o faulthandler_timeout=3700

format: $(READY) ## put the code into shape
	$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format .

sample: demo ## a new demo as reports/sample, and its report as the picture in the README
	@sh tests/browser/install_chromium.sh; $(BIN)/python -m tests.browser.renew_sample

$(READY): pyproject.toml uv.lock $(wildcard plugins/*/pyproject.toml)
	@command -v uv >/dev/null || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jivsbench needs Python 3.11 or newer, and $(PYTHON) is %d.%d: run make PYTHON=python3.12" % sys.version_info[:2])'
	@command -v uv >/dev/null || { echo "making the environment in $(VENV)"; $(PYTHON) -m venv $(VENV); $(BIN)/python -m pip install --quiet uv; }
	@$(UV) sync --quiet --locked --inexact --compile-bytecode --all-packages --extra standard
	@touch $(READY)
