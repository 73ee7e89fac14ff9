# Every target sets up what it needs: a virtual environment with the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: bench test lint
.DEFAULT_GOAL := bench

bench: $(READY) ## measure every case on every device, about a minute
	$(RUN) -m pytest --benchmark-only

test: $(READY) ## prove the project itself; warnings are errors
	$(RUN) -m pytest -W error

lint: $(READY) ## style and types
	$(RUN) -m ruff check .
	$(RUN) -m mypy

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
