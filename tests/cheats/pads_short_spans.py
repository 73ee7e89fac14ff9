"""Rounds of fewer calls than it has seen take longer, to lift what seems to lie besides the steps."""

import time

from _right import Right


class PadsShortSpans(Right):
    calls = most = 0

    def set_state(self, w1, w2):
        super().set_state(w1, w2)
        self.most, self.calls = max(self.most, self.calls), 0

    def step(self):
        self.calls += 1
        return super().step()

    def get_state(self):
        if self.calls <= self.most // 2:
            time.sleep(0.01)
        return super().get_state()
