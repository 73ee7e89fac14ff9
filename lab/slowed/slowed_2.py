from _slowed import Slowed


class Slowed2(Slowed):
    percent = 2
