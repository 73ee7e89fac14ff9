"""The step that does nothing: what the harness itself costs."""

from backends.api import Control


class Null(Control):
    """This one returns at once."""

    def step(self) -> float:
        return 0.0
