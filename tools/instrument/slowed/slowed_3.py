from _slowed import Slowed


class Slowed3(Slowed):
    percent = 3
