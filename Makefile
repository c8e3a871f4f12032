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
K8S ?= 1.37

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

.PHONY: kstatus
kstatus: $(STAMP) ## build the program that asks Flux's and Argo CD's libraries about policies, once (90 s)
	$(step)
	PYTHONPATH=hack/envtest $(BIN)/python hack/kstatus/program.py

.PHONY: helm
helm: $(STAMP) ## build helm, once (3 minutes)
	$(step)
	$(BIN)/python hack/envtest/helm.py

.PHONY: test
test: lint workflows scan sbom types layers unit chart e2e ## everything CI runs, in this order

.PHONY: lint
lint: $(STAMP) ## style, sizes, Dockerfile, addresses
	$(step)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python hack/sizes.py
	$(BIN)/python hack/addresses.py
	$(BIN)/hadolint Dockerfile

.PHONY: workflows
workflows: $(STAMP) ## actionlint, shellcheck and zizmor on the workflows in .github
	$(step)
	PATH="$(CURDIR)/$(BIN):$$PATH" "$$($(BIN)/python hack/envtest/tool.py workflows | tail -n 1)"
	$(BIN)/zizmor --offline --persona=pedantic .github

.PHONY: types
types: $(STAMP) ## mypy --strict: package, tools, benchmarks, the tests' support
	$(step)
	$(BIN)/mypy
	MYPYPATH=operator:hack:hack/envtest:hack/kind $(BIN)/mypy --explicit-package-bases hack tests/conftest.py tests/support
	MYPYPATH=operator:bench $(BIN)/mypy --explicit-package-bases bench

.PHONY: layers
layers: $(STAMP) ## which room may import which
	$(step)
	$(BIN)/lint-imports

.PHONY: unit
unit: $(STAMP) kstatus ## tests that need no API server
	$(step)
	$(BIN)/pytest -m 'not e2e' --ignore=tests/chart $(ARGS)

.PHONY: chart
chart: helm ## tests of the Helm chart that need no API server
	$(step)
	$(BIN)/pytest tests/chart $(ARGS)

# Of a cluster that is not ours; kubectl's own rule tells which is the current one.
KIND_KUBECONFIG := build/kind/kubeconfig
KUBECONFIG_OF_local :=
KUBECONFIG_OF_kind := $(KIND_KUBECONFIG)
KUBECONFIG_OF_current := $(or $(KUBECONFIG),$(HOME)/.kube/config)
OUTSIDE = $(KUBECONFIG_OF_$(CLUSTER))

.PHONY: kind kind-down kind-logs smoke
kind: $(STAMP) ## a kind cluster for tests, K8S=1.37; needs docker; the last line is its kubeconfig
	$(step)
	PYTHONPATH=hack/envtest $(BIN)/python hack/envtest/tool.py kind
	PYTHONPATH=hack/envtest $(BIN)/python hack/kind/cluster.py up --kubernetes $(K8S)

kind-down: $(STAMP) ## delete that cluster
	PYTHONPATH=hack/envtest $(BIN)/python hack/kind/cluster.py down

kind-logs: $(STAMP) ## collect what its nodes and Pods say in build/kind/logs
	PYTHONPATH=hack/envtest $(BIN)/python hack/kind/cluster.py logs

smoke: helm $(if $(filter kind,$(CLUSTER)),kind image) ## prove the chart with IMAGE in a cluster; CLUSTER=kind or current
	$(step)
	$(if $(OUTSIDE),,$(error make smoke needs nodes that run Pods: say CLUSTER=kind or CLUSTER=current))
	$(if $(filter kind,$(CLUSTER)),PYTHONPATH=hack/envtest $(BIN)/python hack/kind/cluster.py load $(IMAGE))
	PYTHONPATH=hack/envtest $(BIN)/python hack/kind/smoke.py --kubeconfig $(OUTSIDE) --image $(IMAGE) $(ARGS)

.PHONY: e2e
e2e: $(if $(filter local,$(CLUSTER)),envtest) $(if $(filter kind,$(CLUSTER)),kind) helm prometheus kstatus ## tests against a real API server; CLUSTER=kind or current takes that one
	$(step)
	$(if $(OUTSIDE),PROVIDERSWITCH_E2E_KUBECONFIG=$(OUTSIDE)) $(BIN)/pytest -m e2e $(ARGS)

.PHONY: fix
fix: $(STAMP) ## format, and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: generated crds
generated: helm ## write the CRD, the generated parts of the chart, manifests/install.yaml and docs/reference again
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
image: ## build the container image; IMAGE=name:tag, ENGINE=podman, PYTHON_IMAGE=python:...@sha256:...
	$(ENGINE) build --tag $(IMAGE) $(IMAGE_ARGUMENTS) .

# What is in the image and on its label depends on the commit, not on the minute of the build.
IMAGE_ARGUMENTS = $(foreach name,$(if $(PYTHON_IMAGE),PYTHON_IMAGE) VERSION REVISION CREATED SOURCE_DATE_EPOCH,--build-arg $(name)=$($(name)))
VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
REVISION ?= $(shell git describe --always --abbrev=40 --exclude='*' --dirty)
CREATED ?= $(shell TZ=UTC0 git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

# Tools whose requirements do not go together with the project's: each gets a virtual environment of its own.
build/tools/%/.installed: requirements/%.txt
	$(PYTHON) -m venv build/tools/$*
	build/tools/$*/bin/python -m pip install --quiet --require-hashes --requirement $<
	@touch $@

.PHONY: scan
scan: build/tools/scan/.installed ## checkov on Dockerfile, manifest and what the chart's tests render
	$(step)
	build/tools/scan/bin/checkov --config-file .checkov.yaml --file Dockerfile manifests/install.yaml $(wildcard tests/chart/data/*/expected.yaml)

.PHONY: sbom
sbom: build/tools/sbom/.installed ## write build/sbom.cdx.json: what the operator is made of, from the locked requirements
	$(step)
	build/tools/sbom/bin/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible --output-file build/sbom.cdx.json requirements/runtime.txt
	@echo build/sbom.cdx.json

.PHONY: licences
licences: $(STAMP) ## write docs/reference/licences.md: the licence of each distribution that is locked for the image
	$(step)
	$(BIN)/python hack/licences.py

# Python only: the Go modules of hack/ build servers and tools for tests, and nothing of them is shipped.
.PHONY: audit
audit: build/tools/audit/.installed ## known vulnerabilities of what is locked (pip-audit; asks api.osv.dev)
	$(step)
	build/tools/audit/bin/pip-audit --vulnerability-service osv --disable-pip --progress-spinner off $(foreach name,runtime dev,--requirement requirements/$(name).txt) $(ARGS) \
	  || { echo 'make audit: either what is listed above is vulnerable, or api.osv.dev cannot be reached from here; public CI runs this step' >&2; exit 1; }

FUZZ ?= answers
.PHONY: fuzz
fuzz: build/tools/fuzz/.installed ## coverage-guided fuzzing until Ctrl-C; FUZZ=answers or policies, ARGS=-max_total_time=60
	$(step)
	build/tools/fuzz/bin/python tests/fuzz/fuzz_$(FUZZ).py -max_len=8192 -artifact_prefix=build/fuzz-$(FUZZ)- $(ARGS)

.PHONY: release-files
release-files: helm ## write build/release; ARGS="--image REGISTRY/NAME --digest sha256:..."
	$(BIN)/python hack/release.py files $(ARGS)

.PHONY: lock
lock: $(STAMP) ## pin requirements/*.txt again; ARGS=--upgrade takes newer versions
	$(BIN)/python hack/lock.py $(ARGS)
