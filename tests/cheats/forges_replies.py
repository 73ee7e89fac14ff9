"""Answers for the harness: a reply is written to every pipe (pygpubench: a forged result pipe)."""

from _pipes import write_to_pipes

from tests.sabotaged._right import Right


class ForgesReplies(Right):
    calls = 0

    def step(self):
        self.calls += 1
        if self.calls == 120:
            write_to_pipes(b'{"status": "ok", "seconds": 1e-9, "queued": 1e-9, "faults": 0}\n')
        return super().step()
