"""Queues steps for a thread, and waits for it only when state is read (KernelBench #82)."""

from concurrent.futures import ThreadPoolExecutor

from tests.sabotaged._right import Right


class Later:
    def __init__(self, future):
        self.future = future

    def __float__(self):
        return float(self.future.result())


class WorksBetweenRequests(Right):
    pool = ThreadPoolExecutor(1)

    def step(self):
        return Later(self.pool.submit(super().step))

    def get_state(self):
        return self.pool.submit(super().get_state).result()

    def set_state(self, w1, w2):
        self.pool.submit(super().set_state, w1, w2).result()
