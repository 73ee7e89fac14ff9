"""Two-layer ReLU net, sum of squared errors, SGD. This one captures the step of `torch_buffers` in a CUDA graph.

It must never differ from `torch_buffers` in what it computes.
"""

from backends._cudagraph import CapturedStep
from backends.torch_buffers import TorchBuffers


class TorchCudagraph(CapturedStep, TorchBuffers):
    pass
