"""Keeps x xᵀ, carries h from step to step and forms w1 at the end: exact, with less arithmetic.

Not stopped where its time is above the bound of the peak: docs/threats.md.
"""

import numpy as np

from tests.sabotaged._right import Right


class GramMatrix(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.gram = self.x @ self.x.T
        self.begin()

    def begin(self):
        self.h, self.sum = self.x @ self.w1, np.zeros((len(self.x), self.w1.shape[1]), self.x.dtype)

    def forward(self):
        h_relu = np.maximum(self.h, 0)
        return self.h, h_relu, h_relu @ self.w2

    def backward(self, h, h_relu, y_pred):
        grad_y_pred = 2 * (y_pred - self.y)
        return self.mask(h, grad_y_pred @ self.w2.T), h_relu.T @ grad_y_pred

    def update(self, grad_h, grad_w2):
        self.sum += grad_h
        self.h = self.h - self.learning_rate * (self.gram @ grad_h)
        self.w2 -= self.learning_rate * grad_w2

    def get_state(self):
        self.w1 -= self.learning_rate * (self.x.T @ self.sum)
        self.begin()
        return super().get_state()

    def set_state(self, w1, w2):
        super().set_state(w1, w2)
        self.begin()
