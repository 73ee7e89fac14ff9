from _slowed import Slowed


class Slowed1(Slowed):
    percent = 1
