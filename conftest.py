"""Makes pytest measure: everything is in `bench.plugin`."""

pytest_plugins = ["bench.plugin"]
