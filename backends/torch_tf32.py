"""Two-layer ReLU net, sum of squared errors, SGD. This one is `torch_manual` with its products in TF32: float32 factors
rounded to 10 bits, sums in float32.

The switch is the whole process's and must never stay on after the step: setting it twice a step is part of what is timed. No
GPU has run it yet.
"""

import torch

from backends.torch_manual import TorchManual


class TorchTf32(TorchManual):
    kind = "rung"
    devices = ("cuda",)
    dtypes = ("tf32",)

    def step(self) -> torch.Tensor:
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = True
        try:
            return super().step()
        finally:
            torch.backends.cuda.matmul.allow_tf32 = before
