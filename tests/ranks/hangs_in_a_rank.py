"""The first rank never answers; the other has no need of it yet."""

from time import sleep

from _right import RANK, RANKS, Right

if RANKS > 1:
    sleep(60 * (1 - RANK))


class HangsInARank(Right):
    pass

SAYS = r"hung: no answer from rank 0 within 4 s \(BENCH_TIMEOUT\), so all were ended"
