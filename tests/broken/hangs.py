"""Never comes back."""

import time

from _late import Late


class Hangs(Late):
    def break_down(self):
        time.sleep(3600)
