"""It has autograd look for NaN in every later step of the process."""

import torch
from _right import Right


class SetsDetectAnomaly(Right):
    libraries = ("torch",)

    def step(self):
        torch.autograd.set_detect_anomaly(True)
        return super().step()


SAYS = r"changes global state: torch's anomaly detection \(False → True\)"
