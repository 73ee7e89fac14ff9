"""Prints to both streams, from Python and past it, and is right."""

import os
import sys

from tests.sabotaged._right import Right


class Prints(Right):
    def step(self):
        print('{"status": "ok"}', flush=True)
        print("noise", file=sys.stderr)
        os.write(1, b"more noise\n")
        return super().step()
