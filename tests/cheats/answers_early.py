"""Answers at once, with a list that takes long to check, and writes to the shared memory meanwhile."""

import sys
from threading import Thread

import numpy as np

from tests.sabotaged._right import Right

conversation = sys.modules["bench.conversation"]
real = conversation.answer
LIST = [0] * 40_000


class AnswersEarly(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        if conversation.answer is real:  # the first one is timed
            conversation.answer = self.answer

    def answer(self, method, request, region=None):
        do = method.__name__
        if do not in ("run", "take"):
            return real(method, request, region)
        if do == "run":
            self.work = Thread(target=self.compute, args=(request["calls"], region))
            self.work.start()
            calls = {"seconds": 0.01, "queued": 0.01, "calls": LIST, "minor_faults": 0}
            return {"status": "ok", **calls}
        layout = [["float64", [1]], *(["float32", [*w.shape]] for w in (self.w1, self.w2))]
        return {"status": "ok", "arrays": layout}

    def compute(self, calls, region):
        for _ in range(calls):
            loss = self.step()
        region.write([np.array([loss], "float64"), self.w1, self.w2])
