"""Two-layer ReLU net, sum of squared errors, SGD. This one is `torch_compile` in the mode `reduce-overhead`: CUDA graphs that
torch's compiler captures, of the whole step, weights updated in place.

It must never hand a plain tensor to the compiled function: a graph would copy the data on every step and refuse to write to the
weights. Of a Parameter it knows that it stays where it is. No GPU has run it yet.
"""

from torch.nn import Parameter

from backends.api import Problem
from backends.torch_compile import TorchCompile


class TorchCompileReduceOverhead(TorchCompile):
    devices = ("cuda",)
    mode = "reduce-overhead"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        tensors = (self.x, self.y, self.w1, self.w2)
        self.x, self.y, self.w1, self.w2 = (Parameter(tensor, requires_grad=False) for tensor in tensors)
