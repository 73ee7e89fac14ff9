"""It changes the dtype that every later tensor gets."""

import torch
from _right import Right


class SetsDefaultDtype(Right):
    libraries = ("torch",)

    def step(self):
        other = torch.float64 if torch.get_default_dtype() == torch.float32 else torch.float32
        torch.set_default_dtype(other if self.x.shape == (1, 1) else torch.get_default_dtype())
        return super().step()


SAYS = r"changes global state: torch's default dtype"
