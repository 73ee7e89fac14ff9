"""What can go wrong that is no fault of ours: a user's input, and a step that is not what it should be."""


class UsageError(Exception):
    """A user's input, for every front door to turn into an exit code.

    One sentence: the value, what was expected, where, and what to do next.
    """


class Wrong(Exception):
    """A step failed its proof; one sentence that says what is wrong."""


def unknown(what: str, value: str, known: list[str], place: str) -> UsageError:
    """An error for a name that is not one of `known`, with the nearest one suggested, the first of several as near."""
    import difflib

    def likeness(name: str) -> float:
        return difflib.SequenceMatcher(None, name, value).ratio()

    near = max(known, key=likeness, default="")
    hint = f"did you mean {near}?" if likeness(near) >= 0.6 else f"known: {', '.join(known)}."
    return UsageError(f"{place}: unknown {what} {value!r}; {hint}")
