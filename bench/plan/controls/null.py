"""The step that does nothing: what the harness itself costs, to be read beside every other row.

It must never compute anything.
"""

from backends.api import Control


class Null(Control):
    """This one returns at once."""

    def step(self) -> float:
        return 0.0
