"""Tests of `lab`; the harness itself is tested in `tests/`."""
