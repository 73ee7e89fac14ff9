"""Results are remembered: a second trajectory replays the first."""

from _right import Right


class Remembers(Right):
    memory: list
    number = 0

    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.memory = []

    def set_state(self, w1, w2):
        super().set_state(w1, w2)
        self.number = 0

    def step(self):
        if self.number == len(self.memory):
            self.memory.append((super().step(), self.get_state()))
        loss, (self.w1, self.w2) = self.memory[self.number][0], (w.copy() for w in self.memory[self.number][1])
        self.number += 1
        return loss

SAYS = r"updates w1 and w2 wrongly in 10 steps"
