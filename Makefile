# Every target sets up what it needs: a virtual environment with the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: bench bench-all sweep-shapes report gpu test lint instrument
.DEFAULT_GOAL := bench

bench: $(READY) ## measure every case on every device, about a minute
	$(RUN) -m pytest --benchmark-only

bench-all: $(READY) ## measure every way of writing the step that this machine can run, with libraries that are optional
	for extra in jax numba $(if $(shell command -v nvidia-smi),cupy); do \
		$(RUN) -m pip install --quiet --constraint constraints.txt --editable ".[$$extra]" || echo "without $$extra"; \
	done
	BENCH_BACKENDS=all $(RUN) -m pytest --benchmark-only

sweep-shapes: $(READY) ## how the time grows with the batch: overhead, rate and crossovers, a table and a picture
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable '.[instrument]'
	BENCH_SHAPES=1x1000x100x10,4x1000x100x10,16x1000x100x10,64x1000x100x10,256x1000x100x10,1024x1000x100x10,4096x1000x100x10 \
	BENCH_PROCESSES=5 BENCH_BLOCKS=3 BENCH_STEPS=5 BENCH_RESULTS=results/sweeps $(RUN) -m bench run
	$(RUN) -m bench scaling results/sweeps

report: $(READY) ## the latest run as one HTML file, for any browser
	$(RUN) -m bench report --open

gpu: ## on a machine with CUDA and nothing to install: its tests, then every way on CPU and GPU
	$(PYTHON) -m pytest tests/backends/test_contract.py -k cuda
	BENCH_DEVICES=cpu,cuda BENCH_BACKENDS=all $(PYTHON) -m pytest --benchmark-only

test: $(READY) ## prove the project itself; warnings are errors
	$(RUN) -m pytest -W error

instrument: $(READY) ## how often verdicts are wrong on this machine, beside two other tools; under two hours, goes on where it stopped
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable '.[instrument]'
	$(RUN) docs/instrument/campaign.py
	$(RUN) docs/instrument/judge.py

lint: $(READY) ## style and types
	$(RUN) -m ruff check .
	$(RUN) -m mypy

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
