"""It is honest in a visit's first timed round; in those that follow it does all steps before the clock runs.

A call whose outcome nobody asks for begins a visit, throughput comes next, then another length or latency.
"""

from _right import Right

AHEAD = 20


class PrecomputesLatency(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.losses, self.at, self.taken, self.rounds = [], 0, True, 0

    def set_state(self, w1, w2):
        super().set_state(w1, w2)
        self.start = w1.copy(), w2.copy()
        began = self.at == 1 and not self.taken
        self.rounds = 1 if began else self.rounds + bool(self.rounds)
        self.at, self.taken = 0, False
        self.losses = [super(PrecomputesLatency, self).step() for _ in range(AHEAD if self.rounds > 1 else 0)]

    def step(self):
        self.at += 1
        return self.losses[self.at - 1] if self.at <= len(self.losses) else super().step()

    def get_state(self):
        self.taken = True
        if self.at < len(self.losses):
            super().set_state(*self.start)
            self.losses = [super(PrecomputesLatency, self).step() for _ in range(self.at)]
        return super().get_state()


CAUGHT = r"in set_state\(\) and .* puts work off|where the clock does not run"
