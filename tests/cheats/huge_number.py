"""A whole number that no float holds is told for the seconds."""

import json

from _right import Right

real = json.dumps


def huge(reply, **options):
    if isinstance(reply, dict) and "seconds" in reply:
        reply = reply | {"seconds": 10**400}
    return real(reply, **options)


class HugeNumber(Right):
    def __init__(self, problem, device, dtype):
        super().__init__(problem, device, dtype)
        json.dumps = huge
