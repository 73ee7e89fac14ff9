"""Half of the batch stands for all of it, twice: cheap and wrong (reference-kernels #104)."""

from tests.sabotaged._right import Right


class SkipsRows(Right):
    def backward(self, h, h_relu, y_pred):
        half = len(h) // 2 or 1
        grad_y_pred = 2 * (y_pred - self.y)[:half]
        grad_h = self.mask(h[:half], grad_y_pred @ self.w2.T)
        return 2 * self.x[:half].T @ grad_h, 2 * h_relu[:half].T @ grad_y_pred
