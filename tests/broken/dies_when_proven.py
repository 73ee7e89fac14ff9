"""Dies before it could be timed."""

import os

from tests.sabotaged._right import Right


class DiesWhenProven(Right):
    def get_state(self):
        os._exit(3)
