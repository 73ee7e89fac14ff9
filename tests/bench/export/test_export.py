"""If these fail, a tool that reads our exports rejects them, or shows a number of no row."""

import csv
import io
import json
import math
import re

import pytest

from bench import export
from bench.__main__ import main
from bench.analyse import summaries
from bench.errors import ExitCode, UsageError
from tests.made import a_case, story, write

WRONG = {
    "record": "failure", "pass": 0, "case": "slow", "status": "wrong",
    "reason": "slow updates w1 wrongly",
}  # fmt: skip
LOST = f"wrong: {WRONG['reason']}"
BASE, SLOW = (f"{name}-cpu-float32-1-64x1000x100x10" for name in ("base", "slow"))


def measured(run="r", passes=20, **changes):
    """A run in which `slow` takes 1.3 ms and `base` 1 ms, give or take what its process adds."""

    def seconds(name, number, block):
        return (1.3e-3 if name == "slow" else 1e-3) * (1 + 0.01 * math.sin(7 * number + block))

    return story(seconds, passes, 2, run=run, **changes)


def exported(format, *runs, controls=False):
    return export.export(runs or [measured()], format, controls)


@pytest.fixture(scope="module")
def rows():
    return summaries.summarise(measured()).set_index("backend")


def test_github_action_benchmark_reads_every_entry_and_its_range(rows):
    """As extractCustomBenchmarkResult in src/extract.ts and src/extractRangeInfo.ts do."""
    entries = json.loads(exported("github-action-benchmark")[0])
    assert [entry["name"] for entry in entries] == [BASE, SLOW]
    for entry, name in zip(entries, ("base", "slow"), strict=True):
        row = rows.loc[name]
        assert set(entry) == {"name", "unit", "value", "range", "extra"}
        assert (entry["unit"], entry["value"]) == ("s", row["seconds_per_step"])
        half = re.search(r"(?P<prefix>(\+-|±)\s*)(?P<value>\d.+)", entry["range"])["value"]
        assert float(half) == row["seconds_per_step_high"] - row["seconds_per_step"]
        assert "processes: 20" in entry["extra"].splitlines()


def test_otava_reads_a_series_of_numbers_and_attributes(rows):
    """As CsvImporter.fetch_data in otava/importer.py does: no metric may be empty, no column called branch."""
    days = {"second": "2026-01-03T00:00:00+00:00", "first": "2026-01-02T23:00:00+00:00"}
    runs = [measured(run, machine={"time": day, "commit": run[0]}) for run, day in days.items()]
    text, notes = exported("otava", *runs)
    read = list(csv.DictReader(io.StringIO(text)))
    assert ([*read[0]], notes) == (["time", "run", "commit", BASE, SLOW], [])
    assert [(row["time"], row["run"], row["commit"]) for row in read] == [
        (days[run], run, run[0]) for run in ("first", "second")
    ]
    assert [float(row[SLOW]) for row in read] == [rows.loc["slow", "seconds_per_step"]] * 2
    text, notes = exported("otava", *runs, measured("third", extra=[WRONG]))
    assert notes == [f"third: {SLOW} is left out: {LOST}", f"{SLOW} is left out: not every run has a number"]
    assert text.splitlines()[0] == f"time,run,commit,{BASE}"
    with pytest.raises(UsageError, match="export: otava takes one machine, not m and n; name one of them."):
        exported("otava", *runs, measured("third", machine_name="n"))
    with pytest.raises(UsageError, match="export: no case has a number in every run, and otava needs one; name "):
        exported("otava", measured(), measured("q", cases=[a_case("other", baseline=None)]))
    single = measured(singly=True)
    (row,) = csv.DictReader(io.StringIO(exported("otava", single)[0]))
    assert float(row[SLOW]) == summaries.summarise(single).set_index("backend").loc["slow", "undisturbed_seconds_per_step"]


def test_only_rows_that_are_ok_have_numbers_and_github_action_benchmark_takes_one_value_a_name():
    github = "github-action-benchmark"
    text, notes = exported(github, measured(extra=[WRONG]))
    assert [entry["name"] for entry in json.loads(text)] == [BASE]
    assert notes == [f"r: {SLOW} is left out: {LOST}"]
    with pytest.raises(UsageError, match=f"export: {BASE} is in the runs first and second, and"):
        exported(github, measured("first"), measured("second"))
    with pytest.raises(UsageError, match="export: no row of these runs has a number; "):
        exported(github, measured(passes=3, end=False))


@pytest.mark.parametrize("format", export.formats())
def test_controls_come_only_when_asked_for_and_doubts_are_noted(format):
    for controls in (False, True):
        text, notes = exported(format, measured(end=False), controls=controls)
        assert ("twin" in text) == controls
        missing = "missing in part: nothing."
        assert notes == [f"r: INCOMPLETE: the run ended in pass 20 of 20; {missing}"]


NEW = """
def write(rows):
    return "".join(f"{name}\\n" for name in rows["id"]), ["said"]
"""


def test_a_new_format_is_one_file_and_is_written_where_the_command_says(tmp_path, monkeypatch, capsys):
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "names_only.py").write_text(NEW)
    monkeypatch.setattr(export, "__path__", [*export.__path__, str(tmp_path / "formats")])
    command = ["export", str(write(measured(), tmp_path / "r").parent), "--format", "names-only"]
    assert main(command) == ExitCode.FINE
    assert capsys.readouterr() == (f"{BASE}\n{SLOW}\n", "bench: said\n")
    target = tmp_path / "new" / "names.txt"
    assert main([*command, "-o", str(target)]) == ExitCode.FINE
    assert (capsys.readouterr().out, target.read_text()) == ("", f"{BASE}\n{SLOW}\n")
    assert main([*command, "-o", "/proc/x.csv"]) == ExitCode.USAGE
    assert "bench: -o /proc/x.csv: cannot be written: " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    assert "{github-action-benchmark,otava,names-only}" in "".join(capsys.readouterr().out.split())
