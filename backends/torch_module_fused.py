"""Two-layer ReLU net, sum of squared errors, SGD. This one is `torch_module` with the optimizer's fused update.

It must never differ from `torch_module` in anything else.
"""

from backends.torch_module import TorchModule


class TorchModuleFused(TorchModule):
    options = {"fused": True}  # noqa: RUF012
