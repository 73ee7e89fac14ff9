"""Its reply is valid up to the depth at which a parser gives up."""

from _pipes import write_to_pipes

from tests.sabotaged._right import Right


class NestedReply(Right):
    def step(self):
        write_to_pipes(b"[" * 50_000 + b"\n")
        return super().step()
