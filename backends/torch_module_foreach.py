"""Two-layer ReLU net, sum of squared errors, SGD. This one is `torch_module` with the optimizer's foreach update.

It must never differ from `torch_module` in anything else.
"""

from backends.torch_module import TorchModule


class TorchModuleForeach(TorchModule):
    options = {"foreach": True}  # noqa: RUF012
