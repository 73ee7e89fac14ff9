"""Two-layer ReLU net, sum of squared errors, SGD. This one captures ten steps of `torch_buffers` in one CUDA graph.

A replay must never see another tensor than the capture saw: data, buffers and weights stay where they are.
"""

from backends.torch_cudagraph import TorchCudagraph


class TorchCudagraphLoop(TorchCudagraph):
    steps_per_call = 10
