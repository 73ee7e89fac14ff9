"""The second rank comes when nobody waits any longer."""

from time import sleep

from _right import RANK, Right


class ComesLate(Right):
    def __init__(self, problem, device, dtype):
        sleep(60 * RANK)
        super().__init__(problem, device, dtype)

SAYS = r"hung: no answer from any rank within 4 s \(BENCH_TIMEOUT\), so all were ended"
