"""All steps are done while the state is put in place; what is timed looks them up."""

from tests.sabotaged._right import Right

AHEAD = 100


class Precomputes(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.look_ahead()

    def set_state(self, w1, w2):
        super().set_state(w1, w2)
        self.look_ahead()

    def look_ahead(self):
        self.known, self.at = [(None, *super().get_state())], 0
        for _ in range(AHEAD):
            self.known.append((super().step(), *super().get_state()))

    def step(self):
        self.at += 1
        return self.known[self.at][0]

    def get_state(self):
        _, w1, w2 = self.known[self.at]
        return w1.copy(), w2.copy()
