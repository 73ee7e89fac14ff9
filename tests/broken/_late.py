"""A step that is right for longer than any instance lives in the gate, and then breaks: in the middle of a timed round."""

from tests.sabotaged._right import Right

PROOF = 63
"""Steps that the gate takes with one instance, at the most."""


class Late(Right):
    calls = 0

    def step(self):
        self.calls += 1
        if self.calls > PROOF + 7:
            self.break_down()
        return super().step()
