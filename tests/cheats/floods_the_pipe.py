"""Writes megabytes without an end of line, which the harness would have to keep."""

from _right import Right, write_to_pipes


class FloodsThePipe(Right):
    def step(self):
        for _ in range(100):
            write_to_pipes(b"x" * (1 << 20))
        return super().step()
