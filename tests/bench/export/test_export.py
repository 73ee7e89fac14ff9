"""If these fail, a tool that reads our exports rejects them, or believes a number that no row stands for."""

import csv
import io
import json
import math
import re
from dataclasses import replace

import pytest

from bench import export
from bench.__main__ import main
from bench.analyse import summaries
from bench.errors import ExitCode, UsageError
from bench.export import asv
from bench.schema.summary import SUMMARY
from tests.support import MACHINE, story

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MACHINE = MACHINE | {"time": "2026-01-02T03:04:05+00:00", "cpu": "a cpu", "memory_bytes": 25_276_510_208, "system": "Linux 6"}
MACHINE |= {"python": "3.11.7", "commit": COMMIT}
WRONG = {"record": "failure", "pass": 0, "case": "slow", "status": "wrong", "reason": "slow updates w1 wrongly"}
BASE, SLOW = "base/cpu/float32/1/64x1000x100x10", "slow/cpu/float32/1/64x1000x100x10"


def measured(run="r", commit=COMMIT, **changes):
    """A run in which `slow` takes 1.3 ms and `base` 1 ms, give or take what its process adds."""

    def seconds(case, number, block):
        return {"base": 1.0e-3, "twin": 1.0e-3, "slow": 1.3e-3}[case] * (1 + 0.01 * math.sin(7 * number + block))

    made = story(seconds, **changes)
    return replace(made, header={**made.header, "run": run, "machine": {**MACHINE, "commit": commit}, "sources": {"x": "code"}})


def one(format, *runs, controls=False):
    files, told = export.export(runs or [measured()], format, controls)
    assert list(files) == [""]
    return files[""], told


def row(name):
    table = summaries.summarise(measured())
    return table[table["backend"] == name].iloc[0]


def test_github_action_benchmark_reads_every_entry_and_its_range():
    """As extractCustomBenchmarkResult in src/extract.ts and src/extractRangeInfo.ts of that project do."""
    entries = json.loads(one("github-action-benchmark")[0])
    assert [entry["name"] for entry in entries] == [BASE, SLOW]
    for entry, name in zip(entries, ("base", "slow"), strict=True):
        assert set(entry) == {"name", "unit", "value", "range", "extra"}
        assert entry["unit"] == "s", "one of the units in src/normalizeValueByUnit.ts"
        assert entry["value"] == row(name)["seconds_per_step"]
        half = float(re.search(r"(?P<prefix>(\+-|±)\s*)(?P<value>\d.+)", entry["range"])["value"])
        assert half == row(name)["seconds_per_step_high"] - row(name)["seconds_per_step"]
        assert "processes: 20" in entry["extra"].splitlines()


def test_bencher_reads_every_measure():
    """As lib/bencher_adapter/src/adapters/json/v0.rs and the limits of lib/bencher_valid of that project do."""
    benchmarks = json.loads(one("bencher")[0])
    assert list(benchmarks) == [BASE, SLOW]
    for name, measures in benchmarks.items():
        assert 0 < len(name) <= 1024
        assert not name.endswith(("_bencher_ignore", "BencherIgnore", "-bencher-ignore")), "they would silence alerts"
        assert list(measures) == ["seconds-per-step", "latency-seconds-per-step", "ratio"], "no device time on a CPU"
        for slug, metric in measures.items():
            assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
            assert len(slug) <= 64
            assert set(metric) == {"value", "lower_value", "upper_value"}
            assert metric["lower_value"] <= metric["value"] <= metric["upper_value"]
    assert benchmarks[SLOW]["seconds-per-step"]["value"] == row("slow")["seconds_per_step"]
    assert benchmarks[SLOW]["ratio"]["upper_value"] == row("slow")["ratio_high"]


def test_asv_finds_what_it_looks_for():
    """As Results.load, iter_results_paths, Machine and Benchmarks.load of asv 0.6 do."""
    files, told = export.export([measured()], "asv", controls=True)
    assert told == []
    name = "m/01234567-stepbench-py3.11-numpy2-BENCH_ALLOCATORpinned.json"
    assert set(files) == {"m/machine.json", name, "benchmarks.json"}
    machine, results, listed = (json.loads(files[path]) for path in ("m/machine.json", name, "benchmarks.json"))
    assert (machine["version"], results["version"], listed["version"]) == (1, 2, 2)
    assert results["params"]["machine"] == machine["machine"] == "m"
    assert results["commit_hash"] == COMMIT
    assert results["date"] == 1767323045000
    assert {type(value) for value in results["params"].values()} == {str}, "asv sorts and prints them"
    assert set(results["results"]) == set(listed) - {"version"}
    assert not any("/" in benchmark for benchmark in results["results"]), "asv's pages cut a name at a slash"
    assert listed[SLOW.replace("/", ".")]["pretty_name"] == SLOW
    values = dict(zip(results["result_columns"], results["results"][SLOW.replace("/", ".")], strict=True))
    assert values["result"] == [row("slow")["seconds_per_step"]]
    assert len(values["samples"][0]) == values["stats_repeat"][0] == 20
    assert values["stats_number"] == [10]
    assert values["stats_ci_99_a"][0] < row("slow")["seconds_per_step_low"], "99 % is wider than our 95 %"
    assert values["stats_ci_99_b"][0] > row("slow")["seconds_per_step_high"]


def test_asv_itself_loads_it(tmp_path):
    loaded = pytest.importorskip("asv.results", reason="needs asv: pip install asv")
    export.write(export.export([measured()], "asv", False, tmp_path)[0], "asv", tmp_path)
    (results,) = loaded.iter_results(str(tmp_path))
    assert set(results.get_all_result_keys()) == {BASE.replace("/", "."), SLOW.replace("/", ".")}
    assert results.get_result_value(SLOW.replace("/", "."), []) == [row("slow")["seconds_per_step"]]
    assert results.get_result_stats(SLOW.replace("/", "."), [])[0]["repeat"] == 20


@pytest.mark.parametrize("text", ["no JSON", "[]"])
def test_asv_leaves_alone_what_is_no_list_of_benchmarks(text, tmp_path):
    (tmp_path / "benchmarks.json").write_text(text)
    with pytest.raises(UsageError, match=r"benchmarks\.json: is not the list that asv writes; name another folder with -o"):
        export.export([measured()], "asv", False, tmp_path)


def test_asv_keeps_the_list_of_a_project_that_has_one(tmp_path):
    (tmp_path / "benchmarks.json").write_text('{"time_own": {"name": "time_own"}, "version": 2}')
    export.write(export.export([measured()], "asv", False, tmp_path)[0], "asv", tmp_path)
    assert set(json.loads((tmp_path / "benchmarks.json").read_text())) == {
        "time_own", BASE.replace("/", "."), SLOW.replace("/", "."), "version",
    }  # fmt: skip


@pytest.mark.parametrize("commit", [None, f"{COMMIT}+dirty"])
def test_asv_gets_no_run_that_has_no_commit(commit):
    files, told = export.export([measured("kept"), measured("gone", commit=commit)], "asv", controls=False)
    assert len(files) == 3
    assert told == [f"gone: is left out: asv files results by commit, and this run has {commit or 'none'}"]


def test_csv_has_every_row_of_every_run_with_its_machine_and_run_first():
    text, told = one("csv", measured("first"), measured("second", extra=[WRONG]), controls=True)
    assert told == []
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [*dict.fromkeys(["machine", "run", *SUMMARY])]
    assert [(r["run"], r["backend"]) for r in rows] == [
        (run, b) for run in ("first", "second") for b in ("base", "slow", "twin")
    ]
    assert float(rows[1]["seconds_per_step"]) == row("slow")["seconds_per_step"]
    assert (rows[4]["status"], rows[4]["reason"], rows[4]["seconds_per_step"]) == ("wrong", WRONG["reason"], "")


@pytest.mark.parametrize("format", ["github-action-benchmark", "bencher", "asv"])
def test_only_rows_that_are_ok_have_numbers_and_the_others_are_told(format):
    files, told = export.export([measured(extra=[WRONG])], format, controls=False)
    text = "".join(files.values())
    assert "base" in text
    assert "slow" not in text
    assert told == [f"r: {SLOW} is left out: wrong: {WRONG['reason']}"]


@pytest.mark.parametrize("format", ["github-action-benchmark", "bencher", "csv", "asv"])
def test_controls_come_only_when_asked_for_and_doubts_are_told(format):
    unsure = measured(passes=20, end=False)
    for controls in (False, True):
        files, told = export.export([unsure], format, controls)
        assert any("twin" in text for text in files.values()) == controls
        assert told == ["r: INCOMPLETE: the run ended in pass 20 of 20; missing in part: nothing."]


@pytest.mark.parametrize("format", ["github-action-benchmark", "bencher", "asv"])
def test_two_numbers_under_one_name_are_refused(format):
    with pytest.raises(UsageError, match=f"export: {BASE} "):
        export.export([measured("first"), measured("second")], format, controls=False)


NEW = """
from bench.export._format import Format
FORMAT = Format(lambda runs: {"": "\\n".join(runs.table["id"]) + "\\n"}, one_value_per_name=True)
"""


def test_a_new_format_is_one_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "names_only.py").write_text(NEW)
    monkeypatch.setattr(export, "__path__", [*export.__path__, str(tmp_path / "formats")])
    first, second = (on_disk(tmp_path / run, measured(run)) for run in ("first", "second"))
    assert main(["export", first, "--format", "names-only"]) == ExitCode.FINE
    assert capsys.readouterr().out.splitlines() == [BASE, SLOW]
    assert main(["export", first, second, "--format", "names-only"]) == ExitCode.USAGE
    assert "and names-only takes one value per name" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    assert "{asv,bencher,csv,github-action-benchmark,names-only}" in "".join(capsys.readouterr().out.split())


def on_disk(folder, run):
    folder.mkdir()
    (folder / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in (run.header, *run.records)))
    return str(folder)


def test_the_command_writes_where_it_is_told(bench, tmp_path):
    run = on_disk(tmp_path / "run", measured(extra=[WRONG]))
    printed = bench("export", run, "--format", "bencher")
    assert printed.returncode == 0, printed.stderr
    assert list(json.loads(printed.stdout)) == [BASE]
    assert printed.stderr == f"bench: r: {SLOW} is left out: wrong: {WRONG['reason']}\n"
    assert bench("export", run, "--format", "bencher", "-o", str(tmp_path / "new" / "b.json")).stdout == ""
    assert (tmp_path / "new" / "b.json").read_text() == printed.stdout
    assert bench("export", run, "--format", "asv", "-o", str(tmp_path / "asv")).returncode == 0
    assert {path.name for path in (tmp_path / "asv").iterdir()} == {"m", asv.LIST}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "asv"], "bench: export: --format asv is several files; name their folder with -o"),
        (["--format", "csv", "-o", "/proc/x.csv"], "bench: -o /proc/x.csv: cannot be written: "),
        (["--format", "xml"], "usage: "),
    ],
)
def test_bad_usage_says_what_to_do(arguments, says, bench, tmp_path):
    done = bench("export", on_disk(tmp_path / "run", measured()), *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(says)


def test_a_run_without_numbers_is_refused(bench, tmp_path):
    done = bench("export", on_disk(tmp_path / "run", measured(passes=3, end=False)), "--format", "bencher")
    assert done.returncode == 2
    assert "is left out: incomplete: 3 of 20 passes were finished" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("bench: export: no row of these runs has a number; ")
