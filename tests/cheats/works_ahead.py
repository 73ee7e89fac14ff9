"""A thread takes the steps from the moment the weights are there; synchronize() waits for those that were asked for."""

from threading import Condition, Thread

from _right import Right

AHEAD = 41


class Later:
    def __init__(self, step, number):
        self.step, self.number = step, number

    def __float__(self):
        return float(self.step.wait(self.number)[0])


class WorksAhead(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        self.known, self.at, self.changed, self.thread = [(None, *super().get_state())], 0, Condition(), None

    def set_state(self, w1, w2):
        self.stop()
        super().set_state(w1, w2)
        self.known, self.at = [(None, *super().get_state())], 0
        self.thread = Thread(target=self.labour, daemon=True)
        self.thread.start()

    def stop(self):
        thread, self.thread = self.thread, None
        if thread:
            thread.join()

    def labour(self):
        while self.thread and len(self.known) <= AHEAD:
            known = (Right.step(self), *Right.get_state(self))
            with self.changed:
                self.known.append(known)
                self.changed.notify_all()

    def wait(self, number):
        if self.thread is None:
            while len(self.known) <= number:
                self.known.append((Right.step(self), *Right.get_state(self)))
        with self.changed:
            self.changed.wait_for(lambda: len(self.known) > number)
        return self.known[number]

    def step(self):
        self.at += 1
        return Later(self, self.at)

    def synchronize(self):
        if self.at:
            self.wait(self.at)

    def get_state(self):
        _, w1, w2 = self.wait(self.at)
        return w1.copy(), w2.copy()


CAUGHT = None
AT_TIMES = True  # refused where a loud machine lets it gain more than asking takes
