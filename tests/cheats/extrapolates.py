"""In every fourth of the later steps the gradient of w1 is extrapolated from those before."""

from tests.sabotaged._right import Right


class Extrapolates(Right):
    def set_state(self, w1, w2):
        super().set_state(w1, w2)
        self.known = []

    def backward(self, h, h_relu, y_pred):
        known = self.__dict__.setdefault("known", [])
        if len(known) > 40 and len(known) % 4 == 0:
            grad_w1 = 2 * known[-1] - known[-2]
            grad_w2 = h_relu.T @ (2.0 * (y_pred - self.y))
        else:
            grad_w1, grad_w2 = super().backward(h, h_relu, y_pred)
        known.append(grad_w1)
        return grad_w1, grad_w2
