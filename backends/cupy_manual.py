"""Two-layer ReLU net, sum of squared errors, SGD. This one is NumPy's code on CUDA, through CuPy.

The step must never wait for the device: every operation is queued.
"""

import cupy

from backends.api import Problem, State, TrainStep


class CupyManual(TrainStep):
    devices = ("cuda",)
    libraries = ("cupy",)

    @classmethod
    def why_not(cls, device: str, dtype: str) -> str | None:
        reason = super().why_not(device, dtype)
        if reason:
            return reason
        index, found = int(device.partition(":")[2] or 0), cupy.cuda.runtime.getDeviceCount()
        return None if index < found else f"finds {found} CUDA devices with CuPy {cupy.__version__}, not {device}"

    def __init__(self, problem: Problem, device: str, dtype: str) -> None:
        self.device = cupy.cuda.Device(int(device.partition(":")[2] or 0))
        self.device.use()  # a worker process holds steps of one device kind
        self.x, self.y, self.w1, self.w2 = (
            cupy.asarray(array, dtype) for array in (problem.x, problem.y, problem.w1, problem.w2)
        )
        self.learning_rate = problem.learning_rate

    def step(self) -> cupy.ndarray:
        # forward
        h = self.x @ self.w1  # (N, H)
        h_relu = cupy.maximum(h, 0)  # (N, H)
        y_pred = h_relu @ self.w2  # (N, D_out)
        # loss
        loss = ((y_pred - self.y) ** 2).sum()  # ()
        # backward
        grad_y_pred = 2.0 * (y_pred - self.y)  # (N, D_out)
        grad_w2 = h_relu.T @ grad_y_pred  # (H, D_out)
        grad_h_relu = grad_y_pred @ self.w2.T  # (N, H)
        grad_h = grad_h_relu.copy()  # (N, H)
        grad_h[h < 0] = 0
        grad_w1 = self.x.T @ grad_h  # (D_in, H)
        # update
        self.w1 -= self.learning_rate * grad_w1
        self.w2 -= self.learning_rate * grad_w2
        return loss

    def get_state(self) -> State:
        return cupy.asnumpy(self.w1), cupy.asnumpy(self.w2)

    def set_state(self, w1, w2) -> None:
        self.w1.set(w1)
        self.w2.set(w2)

    def synchronize(self) -> None:
        self.device.synchronize()

    def mark(self) -> cupy.cuda.Event:
        event = cupy.cuda.Event()
        event.record()
        return event

    def seconds_between(self, start: cupy.cuda.Event, end: cupy.cuda.Event) -> float:
        return cupy.cuda.get_elapsed_time(start, end) / 1000  # milliseconds
