"""A pytest plugin, `-p tests.bench.pytest_plugin.made_run`: runs are made, not measured."""

from bench.measure import conductor
from tests.made import measured


def seconds(name, number, block):
    return 1e-3 * (1 + 0.01 * number + 0.001 * block + len(name) * 1e-5)


def pytest_configure():
    conductor.measure = lambda plan: measured(plan, seconds)
