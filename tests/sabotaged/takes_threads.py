"""It takes more threads than it was given."""

import torch
from _right import Right


class TakesThreads(Right):
    libraries = ("torch",)

    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        torch.set_num_threads(2)


SAYS = r"runs with other threads than asked for: .*torch uses 2"
