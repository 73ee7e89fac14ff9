"""Remembers where a state led, by a fingerprint, and returns it again (CUDA-L1, tensara #238)."""

from tests.sabotaged._right import Right


class Replays(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.known = {}

    def step(self):
        fingerprint = tuple(sorted(self.w1[0, :4].tolist()))
        if fingerprint in self.known:
            loss, self.w1[:], self.w2[:] = self.known[fingerprint]
            return loss
        loss = super().step()
        if len(self.known) < 200:
            self.known[fingerprint] = loss, self.w1.copy(), self.w2.copy()
        return loss
