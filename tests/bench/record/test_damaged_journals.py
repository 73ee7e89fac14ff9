"""If these fail, a damaged journal ends in a traceback, or is read as if it were whole."""

import copy
import json

import pytest

from bench.__main__ import main
from bench.errors import UsageError
from bench.record import journal
from bench.schema.checking import fault
from bench.schema.records import Visit
from tests.support import NAMES, key_of, story

PROFILE = {"record": "profile", "pass": 0, "case": "slow", "operators": 3.0, "losses": [1.0], "expected_losses": [1.0]}
FAILURE = {"record": "failure", "pass": 1, "case": "slow", "status": "wrong", "reason": "updates w1 wrongly"}
HOLE = {
    "backend": "absent", "device": "cuda", "dtype": "float32", "threads": 1, "shape": [64, 1000, 100, 10], "twin": False,
    "side": "", "key": "absent-cuda-float32-1-64x1000x100x10", "name": "absent", "kind": "rung", "reason": "is not here",
}  # fmt: skip


def _lines():
    """A whole journal with a record of every kind."""
    made = story(lambda name, number, block: 1e-4 * (1 + number / 100), passes=3, blocks=1, extra=(PROFILE, FAILURE))
    settings = made.header["settings"] | {"processes": 3}
    header = made.header | {"settings": settings, "holes": [HOLE], "doctor": ["load: high."], "sources": {"x": "code"}}
    block = {"record": "block", "pass": 0, "block": 0, "gpus": []}
    return [header, *made.records[:-1], block, made.records[-1]]


def _places(value, path=()):
    """The path of every value in a JSON value, but for the tag that says what a record is."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for name, inner in items:
        if name != "record":
            yield (*path, name)
            yield from _places(inner, (*path, name))


def _mutations():
    """(what was done, lines): every field of every kind of record missing or of another type, and every kind twice."""
    lines = _lines()
    firsts = {line["record"]: number for number, line in reversed([*enumerate(lines)])}
    for kind, number in firsts.items():
        yield f"{kind} twice", [*lines[: number + 1], lines[number], *lines[number + 1 :]]
        for path in _places(lines[number]):
            name = ".".join(map(str, (kind, *path)))
            for change in ("missing", "another type", "null"):
                mutated = copy.deepcopy(lines)
                *above, last = path
                place = mutated[number]
                for step in above:
                    place = place[step]
                if change == "missing":
                    del place[last]
                else:
                    place[last] = None if change == "null" else {"a": []} if isinstance(place[last], str | int) else "text"
                yield f"{name} {change}", mutated


def test_no_mutated_journal_ends_in_a_traceback(tmp_path, capsys):
    """Each is either read, since what is missing is not needed, or refused in a sentence with its place."""
    refused = 0
    for number, (what, lines) in enumerate(_mutations()):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / journal.NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
        codes = {main([*command, str(folder)]) for command in (["show"], ["summary"], ["export", "--format", "csv"])}
        assert codes in ({0}, {2}), what
        assert codes == {2} or not what.endswith(" twice"), what
        if codes == {2}:
            refused += 1
            error = capsys.readouterr().err
            assert error.count("\n") == 3, what
            assert " twice" not in what or "once more" in error or "first line" in error, what
            assert f"{folder / journal.NAME}:" in error, what
    assert refused > number / 2


@pytest.mark.parametrize("name", ["throughput_seconds", "latency_seconds", "steps", "errors", "case"])
def test_a_visit_without_what_estimates_need_is_named_with_its_line(tmp_path, name):
    lines = _lines()
    number = next(number for number, line in enumerate(lines) if line["record"] == "visit")
    del lines[number][name]
    path = tmp_path / journal.NAME
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(UsageError) as caught:
        journal.read(path)
    assert str(caught.value) == (
        f"{path}:{number + 1}: not a journal record: {name} is missing; the file is damaged or is no journal."
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, None),
        ({"dispatch_seconds": None}, None),
        ({"something_newer": 1}, None),
        ({"throughput_seconds": 0}, "throughput_seconds is 0, expected a number above 0"),
        ({"throughput_seconds": float("nan")}, "throughput_seconds is nan, expected a number above 0"),
        ({"throughput_seconds": True}, "throughput_seconds is True, expected a number above 0"),
        ({"steps": 2.5}, "steps is 2.5, expected a whole number of at least 1"),
        ({"errors": {"loss": 0.0, "w1": 0.0, "w2": 0.0}}, "errors.kinks is missing"),
        ({"case": ["a"]}, "case is ['a'], expected a text"),
    ],
)
def test_what_a_visit_has_to_be(change, says):
    visit = next(line for line in _lines() if line["record"] == "visit")
    assert fault(visit | change, Visit) == says


def test_a_record_of_a_kind_that_is_not_known_is_passed_over(tmp_path):
    lines = _lines()
    lines.insert(3, {"record": "weather", "pass": "any"})
    (tmp_path / journal.NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    read = journal.read(tmp_path)
    assert len(read.records) == len(lines) - 2
    assert {visit["case"] for visit in read.visits} == {key_of(name) for name in NAMES}
