"""In one visit of five all steps are done while the weights are put in place: enough for a low percentile of single steps."""

from itertools import count

from precomputes import Precomputes


class FewVisits(Precomputes):
    visits = count()

    def look_ahead(self):
        self.ahead = next(self.visits) % 15 < 3  # a visit puts weights in place three times, or four
        if self.ahead:
            super().look_ahead()

    def step(self):
        return super().step() if self.ahead else super(Precomputes, self).step()

    def get_state(self):
        return super().get_state() if self.ahead else super(Precomputes, self).get_state()


CAUGHT = r"where steps are quickest: something else does their work|puts work off|around them"
