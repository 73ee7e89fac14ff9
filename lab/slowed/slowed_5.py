from _slowed import Slowed


class Slowed5(Slowed):
    percent = 5
