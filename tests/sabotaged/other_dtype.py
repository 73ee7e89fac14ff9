"""It says float32 and computes in float64, as the seed's NumPy script beside its torch script."""

from _right import Right


class OtherDtype(Right):
    dtypes = ("float32",)

    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, "float64")


SAYS = r"hands out w1 as float64 \(\d+, \d+\), expected float32"
