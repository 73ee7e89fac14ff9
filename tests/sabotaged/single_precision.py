"""It says float64 and computes in float32."""

from _right import Right


class SinglePrecision(Right):
    dtypes = ("float64",)

    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, "float32")

    def get_state(self):
        return self.w1.astype("float64"), self.w2.astype("float64")


SAYS = r"such an error comes from arithmetic in a lower precision than float64"
