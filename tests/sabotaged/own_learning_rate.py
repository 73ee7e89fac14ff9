"""The learning rate is written into the step."""

from _right import Right


class OwnLearningRate(Right):
    def update(self, grad_w1, grad_w2):
        self.learning_rate = 1e-6
        super().update(grad_w1, grad_w2)

SAYS = r"moves w1 and w2 \S+ times as far as it should"
