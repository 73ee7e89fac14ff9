"""Fleets of real processes of this machine, with a short run each."""

import os

import pytest

from bench.fleet import home
from bench.fleet.asking import Patience
from bench.fleet.launchers import engines
from bench.settings import Settings
from tests.bench.fleet.nodes import TEMPLATE


@pytest.fixture
def environ(environ, tmp_path):
    return environ | {
        "BENCH_BACKENDS": "numpy_manual",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
    }


@pytest.fixture
def quick(environ, monkeypatch):
    """A fleet whose patience is short, in this process: its nodes get `environ`."""
    for name in [name for name in os.environ if name.startswith(("BENCH_", "PYTEST_"))]:
        monkeypatch.delenv(name)
    for name, text in environ.items():
        if not name.startswith("BENCH_"):
            monkeypatch.setenv(name, text)

    def build(template=TEMPLATE, nodes=("alpha",), heard=None, **patience):
        settings = Settings.from_env({name: text for name, text in environ.items() if name.startswith("BENCH_")})
        asked, launcher = home.new(engines()["command"], template, nodes, settings)
        limits = {"wait": 20.0, "run": 60.0, "silence": 10.0} | patience
        return home.Fleet(asked, launcher, Patience(**limits), (heard if heard is not None else []).append)

    return build
