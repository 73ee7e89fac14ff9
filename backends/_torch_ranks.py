"""What the data-parallel torch backends do outside their step: meet the other ranks, each on a device of its own.

A rank learns of the others as torchrun tells it: RANK, LOCAL_RANK, WORLD_SIZE and where to meet. Nothing here may run inside
`step()`.
"""

import atexit
import os

import torch
import torch.distributed as dist

from backends._torch import TorchStep
from backends.api import Problem

LIBRARY = {"cpu": "gloo", "cuda": "nccl"}
"""What carries the collectives of a kind of device."""


class TorchRankStep(TorchStep):
    parallel = True

    @classmethod
    def why_not(cls, device: str, dtype: str) -> str | None:
        reason = super().why_not(device, dtype)
        if reason:
            return reason
        library = LIBRARY[device.partition(":")[0]]
        if dist.is_available() and dist.is_backend_available(library):
            return None
        return f"needs {library}, which torch {torch.__version__} was built without"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        kind, _, index = device.partition(":")
        if kind != "cpu":
            device = f"{kind}:{int(index or 0) + int(os.environ.get('LOCAL_RANK', '0'))}"
            torch.accelerator.set_device_index(torch.device(device).index)
        _join(LIBRARY[kind])
        super().__init__(problem, device, dtype)


def _join(library: str) -> None:
    """The group of all ranks, which the steps of a process share; of this process alone where nobody told it of others."""
    if dist.is_initialized():
        return
    atexit.register(dist.destroy_process_group)  # its threads would end the interpreter with a signal
    if "RANK" not in os.environ:
        dist.init_process_group(library, store=dist.HashStore(), rank=0, world_size=1)
        return
    # the conductor names a file, which opens no port; torchrun names none, but MASTER_ADDR and MASTER_PORT
    where = os.environ.get("INIT_METHOD")
    dist.init_process_group(library, where, rank=int(os.environ["RANK"]), world_size=int(os.environ["WORLD_SIZE"]))
