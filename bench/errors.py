"""The one exception a user's input can cause, so that every front door can turn it into a sentence and an exit code.

It must never be raised for a fault of our own.
"""


class UsageError(Exception):
    """One sentence: the value, what was expected, where, and what to do next."""


def unknown(what: str, value: str, known: list[str], place: str) -> UsageError:
    """An error for a name that is not one of `known`, with the nearest one suggested, the first of several as near."""
    import difflib

    def likeness(name: str) -> float:
        return difflib.SequenceMatcher(None, name, value).ratio()

    near = max(known, key=likeness, default="")
    hint = f"did you mean {near}?" if likeness(near) >= 0.6 else f"known: {', '.join(known)}."
    return UsageError(f"{place}: unknown {what} {value!r}; {hint}")
