"""If these fail, a damaged journal ends in a traceback, or is read as if it were whole."""

import copy
import io
from contextlib import redirect_stderr, redirect_stdout

import pytest

from bench.__main__ import main
from bench.schema.checking import fault
from bench.schema.records import Visit
from tests.made import a_hole, lines, story, write

SECONDS = "throughput_seconds"
PROFILE = {"record": "profile", "pass": 0, "case": "slow", "kernels": 3.0}
FAILURE = {"record": "failure", "pass": 1, "case": "slow", "status": "wrong", "reason": "is wrong"}


def _lines():
    """A whole journal with a record of every kind."""
    run = story(
        lambda name, number, block: 1e-4 * (1 + number / 100), 3, 1, singly=True,
        extra=[PROFILE, FAILURE], settings={"processes": 3}, holes=[a_hole("is not here")],
        doctor=["load: high."],
    )  # fmt: skip
    return lines(run)


def _places(value, path=()):
    """The path of every value in a JSON value, but for the tag of a record."""
    pairs = value.items() if isinstance(value, dict) else ()
    for name, inner in enumerate(value[:1]) if isinstance(value, list) else pairs:
        if name != "record":
            yield (*path, name)
            yield from _places(inner, (*path, name))


def _mutated(record, path, change):
    record = copy.deepcopy(record)
    *above, last = path
    place = record
    for step in above:
        place = place[step]
    if change == "missing":
        del place[last]
    elif change == "null":
        place[last] = None
    else:
        place[last] = {"a": []} if isinstance(place[last], str | int) else "text"
    return record


def _mutations():
    """(what was done, lines): each field of each kind missing or of another type, and twice."""
    whole = _lines()
    firsts = {line["record"]: number for number, line in reversed([*enumerate(whole)])}
    for kind, number in firsts.items():
        before, record, after = whole[:number], whole[number], whole[number + 1 :]
        yield f"{kind} twice", [*before, record, record, *after]
        for path in _places(record):
            for change in ("missing", "another type", "null"):
                name = f"{kind}.{'.'.join(map(str, path))} {change}"
                yield name, [*before, _mutated(record, path, change), *after]


def test_no_mutated_journal_ends_in_a_traceback(tmp_path):
    """Each is read, since what is missing is not needed, or refused in a sentence."""
    refused = 0
    for number, (what, records) in enumerate(_mutations()):
        path = write(records, tmp_path / str(number))
        with redirect_stderr(io.StringIO()) as errors, redirect_stdout(io.StringIO()):
            code = main(["summary", str(path.parent)])
        error = errors.getvalue()
        assert code in (0, 2), what
        assert code == 2 or not what.endswith(" twice"), what
        if code == 2:
            refused += 1
            assert error.count("\n") == 1, what
            assert f"{path}:" in error, what
    assert refused > number / 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, None),
        ({"dispatch_seconds": None}, None),
        ({"something_newer": 1}, None),
        ({SECONDS: 0}, f"{SECONDS} is 0, expected a number above 0"),
        ({SECONDS: float("nan")}, f"{SECONDS} is nan, expected a number above 0"),
        ({"steps": True}, "steps is True, expected a whole number of at least 1"),
        ({"errors": {"share": 0.0, "arrays": {}}}, "errors.noisy_runs is missing"),
        ({"case": ["a"]}, "case is ['a'], expected a text"),
        ({"latency_call_seconds": None}, "latency_call_seconds is None, expected a list"),
    ],
)
def test_what_a_visit_has_to_be(change, says):
    visit = next(line for line in _lines() if line["record"] == "visit")
    assert fault(visit | change, Visit) == says
