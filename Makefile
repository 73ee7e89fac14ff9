# Every target sets up what it needs: a virtual environment with the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: bench test lint instrument
.DEFAULT_GOAL := bench

bench: $(READY) ## measure every case on every device, about a minute
	$(RUN) -m pytest --benchmark-only

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
