"""What the other rank sent a step before is still in the buffer: right in the first step alone, where it waits."""

from _right import Right


class StaleBuffers(Right):
    before = None

    def exchanged(self, arrays):
        now = super().exchanged(arrays)
        stale, self.before = self.before or now, now
        return stale

SAYS = r"rank 0: updates w1 and w2 wrongly in 10 steps"
