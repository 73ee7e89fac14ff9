"""The collective of a data-parallel step alone: as many numbers as the default problem has gradients, added up over all ranks.

It must never compute anything else, nor follow `backends/_torch_ranks.py`, which an older revision does not have.
"""

import atexit
import os

import torch
import torch.distributed as dist

from backends._torch import TorchStep
from backends.api import Problem

LIBRARY = {"cpu": "gloo", "cuda": "nccl"}


class AllReduceTorch(TorchStep):
    kind = "collective"
    parallel = True

    @classmethod
    def why_not(cls, device: str, dtype: str) -> str | None:
        reason = super().why_not(device, dtype)
        if reason or (dist.is_available() and dist.is_backend_available(LIBRARY[device.partition(":")[0]])):
            return reason
        return f"needs {LIBRARY[device.partition(':')[0]]}, which torch {torch.__version__} was built without"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        kind, _, index = device.partition(":")
        if kind != "cpu":
            device = f"{kind}:{int(index or 0) + int(os.environ.get('LOCAL_RANK', '0'))}"
            torch.accelerator.set_device_index(torch.device(device).index)
        if not dist.is_initialized():
            atexit.register(dist.destroy_process_group)
            if "RANK" in os.environ:
                place = {"rank": int(os.environ["RANK"]), "world_size": int(os.environ["WORLD_SIZE"])}
                dist.init_process_group(LIBRARY[kind], os.environ.get("INIT_METHOD"), **place)
            else:
                dist.init_process_group(LIBRARY[kind], store=dist.HashStore(), rank=0, world_size=1)
        super().__init__(problem, device, dtype)
        fixed = Problem.random()
        self.grads = self.w1.new_zeros(fixed.w1.size + fixed.w2.size)
        self.zero = self.w1.new_zeros(())

    def step(self) -> torch.Tensor:
        dist.all_reduce(self.grads)
        return self.zero
