"""Its compiler is switched off, so that its times are those of `_right`."""

from _right import Right


class IsNotCompiled(Right):
    def is_compiled(self):
        return False


SAYS = r"is not compiled, because its compiler is switched off"
