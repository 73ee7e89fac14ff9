"""Some steps of every round are done while weights go in; as many are wasted when a short one ends, so that no slope tells."""

from _right import Right

AHEAD, SHORT = 4, 20


class PadsShortRounds(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.known, self.at = [], 0

    def set_state(self, w1, w2):
        super().set_state(w1, w2)
        self.start, self.known, self.at = (w1.copy(), w2.copy()), [], 0
        self.known = [Right.step(self) for _ in range(AHEAD)]

    def step(self):
        self.at += 1
        return self.known[self.at - 1] if self.at <= len(self.known) else super().step()

    def get_state(self):
        if self.at == SHORT:
            kept = super().get_state()
            for _ in self.known:
                super().step()
            self.w1[:], self.w2[:] = kept
        elif self.at < len(self.known):
            self.w1[:], self.w2[:] = self.start
            for _ in range(self.at):
                super().step()
            self.start, self.known, self.at = super().get_state(), [], 0
        return super().get_state()


CAUGHT = r"in set_state\(\) and .* puts work off|in get_state\(\) and .* puts work off|where the clock does not run"
NEAR = True  # what it gains is little more than what an honest step is allowed beside loud neighbours
