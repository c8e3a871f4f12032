# `make` prints the targets. Needs Python >= 3.11 and make; everything else is installed by `make venv` and `make envtest`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CLUSTER ?= local
ARGS ?=
ENGINE ?= docker
IMAGE ?= providerswitch:dev

export PYTHONPATH := $(CURDIR)/operator
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Every step says which command repeats it; make prints the commands inside.
step = @printf '\n== repeat this step alone: make %s\n' '$@$(if $(ARGS), ARGS="$(ARGS)")'

PYTHON_NEEDED := $(PYTHON) must be Python >= 3.11 with venv and ensurepip (Debian: apt-get install python3-venv); name another with PYTHON=...

.PHONY: help
help: ## print the targets
	@awk -F ':.*## ' '/^[a-z0-9%-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: venv
venv: $(STAMP) ## install the package (editable) and its tools into .venv

$(STAMP): pyproject.toml $(wildcard requirements/*.txt)
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo '$(PYTHON_NEEDED)' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: envtest
envtest: $(STAMP) ## build etcd and the Kubernetes control plane, once (6 minutes)
	$(step)
	$(BIN)/python hack/envtest/build.py

.PHONY: prometheus
prometheus: $(STAMP) ## fetch Debian's Prometheus for the tests, once (seconds); one on PATH is taken as it is
	$(step)
	$(BIN)/python hack/envtest/prometheus.py

.PHONY: test
test: lint types layers unit e2e ## everything CI runs, in this order

.PHONY: lint
lint: $(STAMP) ## style, sizes, Dockerfile, addresses
	$(step)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python hack/sizes.py
	$(BIN)/python hack/addresses.py
	$(BIN)/hadolint Dockerfile

.PHONY: types
types: $(STAMP) ## mypy --strict: package, tools, benchmarks, the tests' support
	$(step)
	$(BIN)/mypy
	MYPYPATH=operator:hack:hack/envtest $(BIN)/mypy --explicit-package-bases hack tests/conftest.py tests/support
	MYPYPATH=operator:bench $(BIN)/mypy --explicit-package-bases bench

.PHONY: layers
layers: $(STAMP) ## which room may import which
	$(step)
	$(BIN)/lint-imports

.PHONY: unit
unit: $(STAMP) ## tests that need no API server
	$(step)
	$(BIN)/pytest -m 'not e2e' $(ARGS)

.PHONY: e2e
e2e: envtest prometheus ## tests against a real API server
	$(step)
	$(BIN)/pytest -m e2e $(ARGS)

.PHONY: fix
fix: $(STAMP) ## format, and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: generated crds
generated: $(STAMP) ## write the CRD, manifests/install.yaml and docs/reference again
	$(BIN)/python hack/generate.py

crds: generated

.PHONY: demo
demo: $(STAMP) $(if $(filter local,$(CLUSTER)),envtest) ## watch a failover; CLUSTER=current uses your kubectl context
	$(BIN)/python -m providerswitch.demo --cluster $(CLUSTER) $(ARGS)

.PHONY: bench
bench: $(patsubst bench/%.py,bench-%,$(wildcard bench/*.py)) ## all benchmarks; one alone: make bench-NAME

# These need no control plane: they run in virtual time.
bench-selection bench-reliability: bench-%: bench/%.py $(STAMP)
	@printf '\n== repeat this step alone: make %s\n' '$@'
	$(BIN)/python bench/$*.py $(ARGS)

bench-%: bench/%.py envtest
	@printf '\n== repeat this step alone: make %s\n' '$@'
	$(BIN)/python bench/$*.py $(ARGS)

.PHONY: image
image: ## build the container image; IMAGE=name:tag, ENGINE=podman
	$(ENGINE) build --tag $(IMAGE) .

.PHONY: lock
lock: $(STAMP) ## pin requirements/*.txt again; ARGS=--upgrade takes newer versions
	$(BIN)/python hack/lock.py $(ARGS)
