"""Of itself it says what only ceilings are asked for: so much arithmetic that no step is too fast; then `gram_matrix`."""

from gram_matrix import GramMatrix


class LiftsTheBound(GramMatrix):
    @classmethod
    def work(cls, device, dtype):
        return 10**15, 0


CAUGHT = r"of a step's arithmetic at most|around them|something else does their work|updates w1 wrongly in"
