"""It has the CPU flush small numbers to 0, in every later step of the process."""

import torch
from _right import Right

torch.set_flush_denormal(True)


class SetsFlushDenormal(Right):
    libraries = ("torch",)


SAYS = r"changes global state: the flushing of small numbers to 0 \(False → True\)"
