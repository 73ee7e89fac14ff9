"""Two-layer ReLU net, sum of squared errors, SGD. This one captures ten steps of `triton_fused` in one CUDA graph.

It must never differ from `triton_fused` in what it computes. No GPU has run it yet.
"""

from backends.triton_cudagraph import TritonCudagraph


class TritonCudagraphLoop(TritonCudagraph):
    steps_per_call = 10
