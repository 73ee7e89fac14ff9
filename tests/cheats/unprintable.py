"""What it raises cannot be written: half a character, what clears a terminal, and what ends a table or a page."""

from _right import Right


class Unprintable(Right):
    calls = 0

    def step(self):
        self.calls += 1
        if self.calls > 70:
            raise ValueError("\ud800\x1b[2J[/] | </script><b>`")
        return super().step()


CAUGHT = r"raised ValueError"
