"""The last six steps of every round are done when the state is read."""

from _right import Right


class Later:
    def __init__(self, step, number):
        self.step, self.number = step, number

    def __float__(self):
        self.step.catch_up(0)
        return float(self.step.losses[self.number])


class Lags(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.losses, self.asked = [], 0

    def catch_up(self, behind):
        while len(self.losses) < self.asked - behind:
            self.losses.append(super().step())

    def step(self):
        self.asked += 1
        self.catch_up(6)
        return Later(self, self.asked - 1)

    def get_state(self):
        self.catch_up(0)
        return super().get_state()

    def set_state(self, w1, w2):
        self.catch_up(0)
        super().set_state(w1, w2)
