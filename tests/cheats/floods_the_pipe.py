"""Writes megabytes without an end of line, which the harness would have to keep."""

from _pipes import write_to_pipes

from tests.sabotaged._right import Right


class FloodsThePipe(Right):
    def step(self):
        for _ in range(100):
            write_to_pipes(b"x" * (1 << 20))
        return super().step()
