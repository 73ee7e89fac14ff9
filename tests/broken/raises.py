"""Raises."""

from _late import Late


class Raises(Late):
    def break_down(self):
        raise ValueError("no more steps")
