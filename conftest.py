"""Makes pytest measure: everything is in `bench.pytest_plugin`."""

from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    loaded = config.pluginmanager.hasplugin("bench.pytest_plugin")  # by `--pyargs bench`
    if not loaded and config.pluginmanager.hasplugin("funcmanage"):  # the session has begun
        here = Path(__file__).parent
        reason = f"{here} is below another project's root; run pytest in it."
        pytest.skip(reason, allow_module_level=True)
    config.pluginmanager.import_plugin("bench.pytest_plugin")
