"""What torch steps do outside `step()`: where they can run, place data, take and give weights, wait.

`TorchDevice` knows no problem; steps of other problem folders build on it too.
"""

import torch

from backends.api import Problem, State, TrainStep, weights_dtype


def compiles() -> bool:
    """Whether `torch.compile` compiles, and does not return functions as they are: it can be
    switched off by variables, such as TORCHDYNAMO_DISABLE, and by settings of the process."""
    return torch.compile(torch.compiler.is_compiling, backend="eager")()


class TorchDevice(TrainStep):
    """A step on a device of torch, in the dtype that `placed` names."""

    devices = ("cpu", "cuda")  # the code is the same for every accelerator; proven on these
    libraries = ("torch",)

    @classmethod
    def why_not(cls, device: str, dtype: str) -> str | None:
        reason = super().why_not(device, dtype)
        if reason or device == "cpu":
            return reason
        kind, _, index = device.partition(":")
        found = torch.get_device_module(kind).device_count()
        if int(index or 0) < found:
            return None
        return f"finds {found} {kind.upper()} devices with torch {torch.__version__}, not {device}"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.device = torch.device(device)
        self.placed = {"device": self.device, "dtype": getattr(torch, weights_dtype(dtype))}

    def synchronize(self) -> None:
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)

    def mark(self) -> torch.Event | None:
        if self.device.type == "cpu":
            return None
        event = torch.Event(self.device, enable_timing=True)
        event.record(torch.accelerator.current_stream(self.device))
        return event

    def seconds_between(self, start: torch.Event, end: torch.Event) -> float:
        return start.elapsed_time(end) / 1000  # milliseconds


class TorchStep(TorchDevice):
    """The default problem's data and weights as tensors."""

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.x = torch.tensor(problem.x, **self.placed)  # (N, D_in)
        self.y = torch.tensor(problem.y, **self.placed)  # (N, D_out)
        self.w1 = torch.tensor(problem.w1, **self.placed)  # (D_in, H)
        self.w2 = torch.tensor(problem.w2, **self.placed)  # (H, D_out)
        self.learning_rate = problem.learning_rate

    def get_state(self) -> State:
        w1, w2 = (w.detach().to("cpu", copy=True).numpy() for w in (self.w1, self.w2))
        return w1, w2

    def set_state(self, w1, w2) -> None:
        self.w1.detach().copy_(torch.tensor(w1))
        self.w2.detach().copy_(torch.tensor(w2))


class TorchAutogradStep(TorchStep):
    """Weights that record what is done to them."""

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        super().__init__(problem, device, dtype)
        self.w1.requires_grad_()
        self.w2.requires_grad_()
