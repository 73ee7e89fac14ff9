"""What an installed stepbench adds to every pytest of its environment: it loads
`bench.pytest_plugin` for `pytest --pyargs bench`, and does nothing else.

A module of its own: where a project has a package named `bench`, that one is imported by this name.
"""

from __future__ import annotations

import pytest

PLUGIN = "bench.pytest_plugin"


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    if is_asked_for(args):  # those of PYTEST_ADDOPTS and `addopts` too
        early_config.pluginmanager.import_plugin(PLUGIN)  # does nothing a second time


def is_asked_for(arguments: list[str]) -> bool:
    """Whether the command names this package, or a test in it."""
    modules = [argument.partition("::")[0].split(".")[0] for argument in arguments]
    return "--pyargs" in arguments and "bench" in modules
