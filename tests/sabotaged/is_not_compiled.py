"""Its compiler is switched off, so that its times are those of `_right`."""

from _right import Right


class IsNotCompiled(Right):
    def is_compiled(self):
        return False


SAYS = r"is not compiled here, so its times would be those of another way"
