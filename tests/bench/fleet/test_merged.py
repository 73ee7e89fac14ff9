"""If these fail, a fleet's table mixes machines that differ, hides a node, or does not fit the screen."""

import json

import pytest

from bench.analyse.verdicts import SLOWER
from bench.errors import ExitCode
from bench.fleet import home, merged
from bench.record import journal
from bench.show import fleet_tables, grid
from tests.bench.fleet.made import journal_bytes
from tests.support import key_of, read_csv, story


@pytest.fixture
def fleet(tmp_path):
    """`fleet(node=…)` writes a fleet's folder: a node is a factor, a dictionary, or why it is missing."""

    def build(**nodes):
        home.append(tmp_path, {"nodes": [*nodes], "stepbench": "abc"})
        for node, what in nodes.items():
            if isinstance(what, str):
                home.append(tmp_path, {"node": node, "reason": what})
                continue
            what = dict(what) if isinstance(what, dict) else {"factor": what}
            record = {"node": node, "stepbench": what.pop("stepbench", "abc"), "reason": ""}
            home.append(tmp_path, record)
            put(tmp_path / node, node, **what)
        return tmp_path

    return build


def put(place, node, factor=1.0, model="m", numpy="2", facts=None, doctor=(), others=0):
    """Writes the journal of a run whose passes differ by some thousandths."""
    run = place / model / f"r-{node}"
    run.mkdir(parents=True)
    times = {"base": 1e-4, "slow": 2e-4, "twin": 1e-4}
    told = story(lambda name, number, block: factor * times[name] * (1 + number / 1000), passes=4)
    header = told.header | {"run": run.name, "machine_name": model, "doctor": [*doctor]}
    header["machine"] = header["machine"] | (facts or {})
    for case in header["cases"]:
        case["versions"] = {"numpy": numpy}
    records = [header, *told.records]
    for record in records:
        if record["record"] == "visit":
            record["throughput_call_seconds"] = [record["throughput_seconds"] / record["steps"]] * record["steps"]
    if others:
        records[1]["other_runs"] = others
    (run / journal.NAME).write_text("".join(json.dumps(record) + "\n" for record in records))


def lines(found, width=140):
    console = grid.console(width=width)
    with console.capture() as captured:
        fleet_tables.terminal(found.rows, found.judged, found.notes, console)
    return captured.get().splitlines()


def test_a_slow_node_is_named_with_what_the_doctor_says_there_alone(fleet):
    slow = {"factor": 1.03, "doctor": ["the governor is powersave", "steal time"]}
    place = fleet(a1=1.0, b2={"factor": 1.001, "doctor": ["steal time"]}, c3=0.999, d4=1.0, e5=slow)
    found = merged.merge(place)
    assert found.judged.set_index("node")["verdict"].to_dict()["e5"] == SLOWER
    shown = lines(found)
    assert [line[:24] for line in shown if line.startswith("SLOWER")] == ["SLOWER: e5 takes 1.030 t"]
    assert "e5, and none of its equals: the governor is powersave" in shown
    codes = [found.outcome(), found.outcome(0.0), found.outcome(0.02), found.outcome(0.05)]
    assert codes == [ExitCode.FINE, ExitCode.WRONG, ExitCode.WRONG, ExitCode.FINE]


def test_a_missing_node_is_listed_with_its_reason(fleet):
    place = fleet(a1=1.0, b2=1.0, c3="its command died of SIGKILL")
    (place / "c3" / "m" / "r").mkdir(parents=True)
    (place / "c3" / "m" / "r" / journal.NAME).write_bytes(journal_bytes(end=False))
    found = merged.merge(place)
    assert found.missing == {"c3": "its command died of SIGKILL"}
    assert "missing: c3: its command died of SIGKILL" in lines(found)
    assert found.outcome() == ExitCode.WRONG


def test_a_fleet_without_any_run_has_files_too(fleet):
    place = fleet(a1="never came")
    found = merged.merge(place)
    written = fleet_tables.write(found.rows, found.judged, found.notes, place)
    assert [path.name for path in written] == ["fleet.md", "fleet.csv"]
    assert lines(found)[-1] == "missing: a1: never came"


def test_nodes_that_differ_in_something_known_are_judged_apart(fleet):
    found = merged.merge(
        fleet(
            a1=1.0, b2=1.0, c3=1.0, d4={"numpy": "3", "factor": 1.2}, e5={"stepbench": "xyz", "factor": 1.2},
            f6={"facts": {"memory_bytes": 2**32}}, g7={"others": 1},
        )
    )  # fmt: skip
    assert found.judged.set_index("node")["apart"].to_dict() == {
        **dict.fromkeys(("a1", "b2", "c3", "g7"), ""),
        "d4": "numpy 3 where most of its model have 2",
        "e5": "stepbench xyz where most of its model have abc",
        "f6": "memory of 4 GiB where most of its model have 7 GiB",
    }
    assert SLOWER not in set(found.judged["verdict"])
    assert found.notes == [
        "g7: other runs of stepbench measured there meanwhile",
        "e5: other files of stepbench than at home (abc)",
    ]


def test_each_model_has_a_table_with_its_fastest_node_first(fleet):
    shown = lines(merged.merge(fleet(a1=1.1, b2=1.0, c3={"model": "n", "factor": 0.5})))
    starts = [line.split()[0] for line in shown if line.split()[0] in ("m", "n", "a1", "b2", "c3")]
    assert starts == ["m", "b2", "a1", "n", "c3"]
    assert any(line.startswith("c3: no equal to judge it by") for line in shown)


@pytest.mark.parametrize("width", [60, 140])
def test_the_table_fits(fleet, width):
    nodes = {f"a{number}bc{number}": 1.0 + number / 1000 for number in range(4)}
    table = lines(merged.merge(fleet(**nodes)), width)[1:6]
    assert max(map(len, table)) <= width
    assert {"node", "ratio", "verdict"} <= {*table[0].split()}
    assert ("slow" in table[0].split()) == (width == 140)


def test_the_csv_has_a_ratio_for_every_case_and_the_markdown_a_table(fleet):
    place = fleet(a1=1.0, b2=1.0, c3=1.5)
    found = merged.merge(place)
    fleet_tables.write(found.rows, found.judged, found.notes, place)
    ratios = read_csv(place / "fleet.csv").set_index(["node", "backend"])["ratio_to_equals"]
    assert ratios[("c3", "slow")] == pytest.approx(1.5)
    page = (place / "fleet.md").read_text()
    assert "| c3 |" in page
    assert "**SLOWER: c3 takes 1.500 times" in page


def test_a_damaged_run_of_one_node_leaves_the_others(fleet):
    place = fleet(a1=1.0, b2=1.0, c3=1.0)
    (file,) = (place / "b2").rglob(journal.NAME)
    file.write_text(file.read_text().replace(key_of("slow"), "another", 1))
    found = merged.merge(place)
    assert sorted(found.judged["node"]) == ["a1", "c3"]
    assert found.missing["b2"].startswith(str(file))
