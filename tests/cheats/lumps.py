"""Every fourth call does four steps and the others look theirs up, so that most single steps seem to take nothing."""

from _right import Right

AT_ONCE = 4


class Lumps(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.known = []

    def set_state(self, w1, w2):
        super().set_state(w1, w2)
        self.known = []

    def step(self):
        if not self.known:
            self.known = [(super(Lumps, self).step(), *super(Lumps, self).get_state()) for _ in range(AT_ONCE)]
        loss, *self.now = self.known.pop(0)
        return loss

    def get_state(self):
        return tuple(w.copy() for w in self.now) if self.known else super().get_state()


CAUGHT = r"for a step by itself, .* something else does their work"
