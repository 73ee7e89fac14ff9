"""If these fail, a torch step on a second device waits for another one, or is timed by the host's clock or another queue."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
from backends._torch import TorchStep  # noqa: E402
from tests.support import a_problem  # noqa: E402


class Still(TorchStep):
    def step(self):
        return 0.0


@pytest.fixture
def accelerator(monkeypatch):
    """A stand-in for `torch.accelerator` and `torch.Event`; it notes on which device what is done."""
    seen = []

    class Event:
        def __init__(self, device, enable_timing):
            self.device, self.at = device, len(seen)
            assert enable_timing, "events without it tell no time"

        def record(self, stream):
            seen.append((self.device, stream))

        def elapsed_time(self, end):
            return 500.0 * (end.at - self.at)

    fake = SimpleNamespace(
        seen=seen,
        current_stream=lambda device: f"stream of {device}",
        synchronize=lambda device: seen.append(device),
    )
    monkeypatch.setattr(torch, "accelerator", fake)
    monkeypatch.setattr(torch, "Event", Event)
    return fake


@pytest.mark.parametrize("name", ["cuda:1", "cuda"])
def test_a_step_waits_for_its_own_device_and_marks_its_own_queue(name, accelerator):
    step = Still(a_problem("2x3x4x5"), "cpu", "float32")
    step.device = torch.device(name)
    start, end = step.mark(), step.mark()
    step.synchronize()
    device = torch.device(name)
    assert accelerator.seen == [(device, f"stream of {name}"), (device, f"stream of {name}"), device]
    assert step.seconds_between(start, end) == 0.5, "events tell milliseconds"


def test_on_a_cpu_there_is_no_queue(accelerator):
    step = Still(a_problem("2x3x4x5"), "cpu", "float32")
    assert step.mark() is None
    step.synchronize()
    assert accelerator.seen == []


def test_what_stands_in_for_torch_has_the_names_that_torch_has():
    """Without an accelerator only names and signatures can be tried."""
    for name in ("synchronize", "current_stream", "memory_stats", "reset_peak_memory_stats"):
        assert callable(getattr(torch.accelerator, name)), name
    assert torch.Event("meta", enable_timing=True).device.type == "meta"
    assert {"record", "elapsed_time"} <= set(dir(torch.Event))


@pytest.mark.parametrize(
    ("found", "device", "reason"),
    [
        (0, "cuda", "finds 0 CUDA devices with torch {}, not cuda"),
        (1, "cuda:1", "finds 1 CUDA devices with torch {}, not cuda:1"),
        (1, "cuda", None),
        (2, "cuda:1", None),
    ],
)
def test_it_says_why_it_cannot_run_on_a_device(found, device, reason, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: found)
    assert TorchStep.why_not(device, "float32") == (reason and reason.format(torch.__version__))
