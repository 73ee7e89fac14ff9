# Every target sets up what it needs: a virtual environment with the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALL := $(RUN) -m pip install --quiet --constraint constraints.txt --editable
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools

.PHONY: help bench bench-all sweep-shapes sweep-threads sweep-dtypes report results gpu test fleet-test lint lab lab-test mutants
.DEFAULT_GOAL := bench

help: ## what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

bench: $(READY) ## measure every case on every device, about a minute
	$(RUN) -m pytest --benchmark-only

bench-all: $(READY) ## measure every way of writing the step that this machine can run, with libraries that are optional
	for extra in jax numba $(if $(shell command -v nvidia-smi),cupy); do \
		$(INSTALL) ".[$$extra]" || echo "without $$extra"; \
	done
	BENCH_BACKENDS=all $(RUN) -m pytest --benchmark-only

sweep-shapes: $(READY) ## how the time grows with the batch: a table, and a heat map on the page; half an hour
	$(INSTALL) '.[report]'
	BENCH_SHAPES=1x1000x100x10,4x1000x100x10,16x1000x100x10,64x1000x100x10,256x1000x100x10,1024x1000x100x10,4096x1000x100x10 \
	BENCH_BACKENDS=all BENCH_PROCESSES=5 BENCH_BLOCKS=3 BENCH_RESULTS=results/sweeps $(RUN) -m bench run
	$(RUN) -m bench report results/sweeps

sweep-threads: $(READY) ## every way on one thread, two, four, ... as many as this machine has
	$(INSTALL) '.[report]'
	BENCH_THREADS=$$($(RUN) -c 'import os; n = len(os.sched_getaffinity(0)); print(*(2**k for k in range(n.bit_length())), sep=",")') \
	BENCH_BACKENDS=all BENCH_PROCESSES=5 BENCH_RESULTS=results/sweeps $(RUN) -m bench run
	$(RUN) -m bench report results/sweeps

sweep-dtypes: $(READY) ## every way in every precision it has code for
	$(INSTALL) '.[report]'
	BENCH_DTYPES=float32,float64,bfloat16,tf32 BENCH_BACKENDS=all BENCH_PROCESSES=5 BENCH_RESULTS=results/sweeps $(RUN) -m bench run
	$(RUN) -m bench report results/sweeps

report: $(READY) ## the latest run as one HTML file, for any browser
	$(INSTALL) '.[report]'
	$(RUN) -m bench report --open

gpu: ## on a machine with CUDA and nothing to install: tests, every way, a sweep and the examples; nine minutes
	PYTHON=$(PYTHON) tools/gpu.sh

test: $(TOOLS) ## prove the project itself; warnings are errors
	$(RUN) -m pytest -W error --numprocesses 2 --dist loadfile

fleet-test: $(TOOLS) ## fleets by commands and Ray, every fault tried; minutes
	$(INSTALL) '.[ray]'
	STEPBENCH_FLEET=1 $(RUN) -m pytest -W error tests/bench/fleet

lab: $(READY) ## measure how often verdicts are wrong on this machine, calm and disturbed; hours, continues where it stopped
	$(RUN) -m lab.collect $(COLLECT)
	$(RUN) -m lab.judge $(JUDGE)

lab-test: $(TOOLS) ## test lab/; a minute
	$(RUN) -m pytest -W error lab/tests

mutants: $(TOOLS) ## break what times, judges and compares in thousands of places, list what no test notices; half an hour
	$(INSTALL) '.[mutants]'
	rm -rf mutants # mutmut keeps results there, even of tests that changed since
	OPENBLAS_NUM_THREADS=1 $(VENV)/bin/mutmut run --max-children 1
	$(VENV)/bin/mutmut results

results: $(TOOLS) ## the files of stored runs, and what the pages show of those that git knows: tables, the index
	$(RUN) -m bench summary results > /dev/null
	$(RUN) -m tools.pages

lint: $(TOOLS) ## style, types, who may import whom, and the page's scripts
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/oxlint bench/show/page/page.js

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[history,lines,memory]'
	touch $@

$(TOOLS): $(READY)
	$(INSTALL) '.[dev]'
	touch $@
