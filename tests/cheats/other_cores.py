"""A thread on a core that the step was not given computes half of the largest product."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tests.sabotaged._right import Right


def move():
    os.sched_setaffinity(0, range(os.cpu_count()))


class OtherCores(Right):
    pool = ThreadPoolExecutor(1, initializer=move)

    def backward(self, h, h_relu, y_pred):
        grad_y_pred = 2.0 * (y_pred - self.y)
        grad_h = self.mask(h, grad_y_pred @ self.w2.T)
        half = self.x.shape[1] // 2
        first = self.pool.submit(lambda: self.x[:, :half].T @ grad_h)
        second = self.x[:, half:].T @ grad_h
        return np.concatenate((first.result(), second)), h_relu.T @ grad_y_pred
