"""What it raises would be a row of its own in a table, clear a terminal and end a page."""

from tests.sabotaged._right import Right


class ForgesARow(Right):
    calls = 0

    def step(self):
        self.calls += 1
        if self.calls > 70:
            raise ValueError("x" * 5000 + "\ud800\x1b[2J[/] | </script>\rright: 1 ns a step")
        return super().step()
