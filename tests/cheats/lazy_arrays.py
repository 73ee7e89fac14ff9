"""Hands out an array that takes the steps when somebody asks for its size, and a lazy loss."""

import numpy as np

from tests.sabotaged._right import Right


class Later(np.ndarray):
    owner = None

    @property
    def size(self):
        self[...] = self.owner.catch_up()
        return super().size


class LazyLoss(float):
    owner = None

    def __float__(self):
        self.owner.catch_up()
        return float(self.owner.latest)


class LazyArrays(Right):
    todo = 0

    def step(self):
        self.todo += 1
        loss = LazyLoss()
        loss.owner = self
        return loss

    def catch_up(self):
        for _ in range(self.todo):
            self.latest = super().step()
        self.todo = 0
        return self.w1

    def set_state(self, w1, w2):
        self.catch_up()
        super().set_state(w1, w2)

    def get_state(self):
        w1 = np.empty_like(self.w1).view(Later)
        w1.owner, w2 = self, self.w2.copy()
        return w1, w2
