"""Makes pytest measure: everything is in `bench.pytest_plugin`."""

pytest_plugins = ["bench.pytest_plugin"]
