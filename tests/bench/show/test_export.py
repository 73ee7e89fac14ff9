"""If these fail, Otava rejects our export, or it holds a number of no row."""

import csv
import io
import math

import pytest

from bench.__main__ import main
from bench.analyse import summaries
from bench.errors import ExitCode, UsageError
from bench.show.runs import otava
from tests.made import a_case, key_of, story, write

BASE, SLOW = map(key_of, ("base", "slow"))
WRONG = {"record": "failure", "pass": 0, "case": "slow", "status": "wrong", "reason": "slow updates w1 wrongly"}
LOST = "is left out: wrong: slow updates w1 wrongly"


def measured(run="r", passes=4, **changes):
    """A run in which `slow` takes 1.3 ms and `base` 1 ms, give or take what its process adds."""

    def seconds(name, number, block):
        return (1.3e-3 if name == "slow" else 1e-3) * (1 + 0.01 * math.sin(7 * number + block))

    return story(seconds, passes, 2, run=run, settings={"processes": 4}, **changes)


def exported(*runs, controls=False):
    """The rows, as CsvImporter.fetch_data in otava/importer.py reads them, and the notes."""
    text, notes = otava(runs, controls)
    return list(csv.DictReader(io.StringIO(text))), notes


def test_otava_reads_a_series_of_numbers_and_attributes():
    """No metric may be empty, and no column called branch."""
    days = {"second": "2026-01-03T00:00:00+00:00", "first": "2026-01-02T23:00:00+00:00"}
    runs = [measured(run, machine={"time": day, "commit": run[0]}) for run, day in days.items()]
    read, notes = exported(*runs)
    assert ([*read[0]], notes) == (["time", "run", "commit", BASE, SLOW], [])
    assert [(row["time"], row["run"], row["commit"]) for row in read] == [(days[run], run, run[0]) for run in sorted(days)]
    assert [float(row[SLOW]) for row in read] == [summaries.summarise(runs[0]).loc[SLOW, "seconds_per_step"]] * 2
    read, notes = exported(*runs, measured("third", extra=[WRONG]))
    assert notes == [f"third: {SLOW} {LOST}", f"{SLOW} is left out: not every run has a number"]
    assert [*read[0]] == ["time", "run", "commit", BASE]


def test_a_time_is_undisturbed_where_a_case_has_one():
    single = measured(singly=True)
    (row,), _ = exported(single)
    assert float(row[SLOW]) == summaries.summarise(single).loc[SLOW, "undisturbed_seconds_per_step"]


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"machine_name": "n"}, "otava takes one machine, not m and n; name one of them."),
        ({"cases": [a_case("other", baseline=None)]}, "no case has a number in every run, and otava needs one; name "),
    ],
)
def test_what_otava_cannot_take_is_an_error(second, says):
    with pytest.raises(UsageError, match=f"export: {says}"):
        exported(measured(), measured("q", **second))
    with pytest.raises(UsageError, match="export: no case has a number in every run"):
        exported(measured(passes=3, end=False))


@pytest.mark.parametrize("controls", [False, True])
def test_controls_come_only_when_asked_for_and_doubts_are_noted(controls):
    (row,), notes = exported(measured(end=False), controls=controls)
    assert (key_of("twin") in row) == controls
    assert notes == ["r: INCOMPLETE: the run ended in pass 4 of 4; missing in part: nothing."]


def test_it_is_written_where_the_command_says(tmp_path, capsys):
    run = measured(extra=[WRONG])
    command = ["export", str(write(run, tmp_path / "r").parent), "--format", "otava"]
    text, _ = otava([run], False)
    assert main(command) == ExitCode.FINE
    assert capsys.readouterr() == (text, f"bench: r: {SLOW} {LOST}\n")
    target = tmp_path / "new" / "otava.csv"
    assert main([*command, "-o", str(target)]) == ExitCode.FINE
    assert (capsys.readouterr().out, target.read_text()) == ("", text)
    assert main([*command, "-o", "/proc/x.csv"]) == ExitCode.USAGE
    assert "bench: -o /proc/x.csv: cannot be written: " in capsys.readouterr().err
