"""If these fail, the table of a fleet mixes what must not be mixed, hides a node, or does not fit the screen."""

import json

import pytest

from bench.analyse.verdicts import SLOWER
from bench.errors import ExitCode
from bench.fleet import folder, merged
from bench.record import journal
from bench.show import fleet_tables, grid
from tests.bench.fleet.made import journal_bytes
from tests.support import ROOT, read_csv

RUN = ROOT / "results" / "amd-epyc-family-26-model-2-2-cpus" / "20261123T020916Z"
HEADER = json.loads((RUN / "journal.jsonl").read_text().partition("\n")[0])
TABLE = read_csv(RUN / "summary.csv")
UNDISTURBED = "undisturbed_seconds_per_step"


@pytest.fixture
def fleet(tmp_path):
    """`fleet(node=…)` writes a fleet's folder: a node is a factor by which it is slower, a dictionary, or why it is missing."""

    def build(**nodes):
        header = {"record": "fleet", "nodes": [*nodes], "source": "abc"}
        records = [header]
        for node, what in nodes.items():
            record = {"record": "node", "node": node, "state": "done", "reason": "", "source": "abc", "machine": node}
            if isinstance(what, str):
                record |= {"state": "missing", "reason": what}
            else:
                what = what if isinstance(what, dict) else {"factor": what}
                put(tmp_path / node, node, **{name: value for name, value in what.items() if name not in ("source", "machine")})
                record |= {name: what[name] for name in ("source", "machine") if name in what}
            records.append(record)
        (tmp_path / folder.NAME).write_text("".join(json.dumps(record) + "\n" for record in records))
        return tmp_path

    return build


def put(place, node, factor=1.0, machine="m", torch=None, facts=None, doctor=(), others=""):
    run = place / machine / f"{RUN.name}-{node}"
    run.mkdir(parents=True)
    header = HEADER | {
        "run": run.name,
        "machine_name": machine,
        "machine": HEADER["machine"] | (facts or {}),
        "doctor": [*doctor],
    }
    (run / journal.NAME).write_text(
        json.dumps(header) + f'\n{{"record":"pass","pass":0{others}}}\n{{"record": "end", "pass": 0}}\n'
    )
    steps = TABLE.assign(machine=machine, run=run.name)
    if UNDISTURBED not in steps or steps[UNDISTURBED].isna().all():
        steps = steps.assign(**{UNDISTURBED: steps["seconds_per_step"], "relative_error": 0.0015})
    timed = ["seconds_per_step", UNDISTURBED]
    steps[timed] = steps[timed] * factor
    if torch:
        steps["versions"] = steps["versions"].str.replace(r"torch==\S+", f"torch=={torch}", regex=True)
    steps.to_csv(run / "summary.csv", index=False)


def lines(found, width=140):
    console = grid.console(width=width)
    with console.capture() as captured:
        fleet_tables.terminal(found.rows, found.judged, found.missing, found.doubts, found.notes, console)
    return captured.get().splitlines()


def test_a_sick_node_is_named_with_what_it_alone_knows_of_itself(fleet):
    sick = {"factor": 1.03, "doctor": ["the governor is powersave", "steal time"]}
    found = merged.merge(fleet(a1=1.0, b2={"factor": 1.001, "doctor": ["steal time"]}, c3=0.999, d4=1.0, e5=sick))
    assert found.judged.set_index("node")["verdict"].to_dict()["e5"] == SLOWER
    shown = lines(found)
    assert sum(line.startswith("SLOWER: e5 takes 1.03") and line.endswith("as long as its 4 equals.") for line in shown) == 1
    assert "e5, and none of its equals: the governor is powersave" in shown
    assert found.outcome() == ExitCode.FINE
    assert found.outcome(0.02) == ExitCode.WRONG
    assert found.outcome(0.05) == ExitCode.FINE


def test_a_missing_node_has_a_row_and_its_reason(fleet):
    place = fleet(a1=1.0, b2=1.0, c3="hangs: no sign of life for 90 s", d4="never came")
    (place / "c3" / "m" / "r").mkdir(parents=True)
    (place / "c3" / "m" / "r" / journal.NAME).write_bytes(journal_bytes(end=False, passes=5))
    found = merged.merge(place)
    shown = lines(found)
    assert [line.split() for line in shown if line.startswith(("c3", "d4"))] == [["c3", "missing"], ["d4", "missing"]]
    assert "missing: c3: hangs: no sign of life for 90 s; 4 of 20 passes of its run are kept" in shown
    assert "missing: d4: never came" in shown
    assert found.outcome() == ExitCode.WRONG


def test_a_fleet_of_which_nobody_came_is_a_table_all_the_same(fleet):
    found = merged.merge(fleet(a1="never came", b2="never came"))
    assert sum(line.startswith("missing: ") for line in lines(found)) == 2
    assert [path.name for path in merged.write(found)] == ["fleet.md", "fleet.csv"]


def test_another_library_another_project_and_one_machine_twice_are_said_and_not_mixed(fleet):
    found = merged.merge(
        fleet(
            a1=1.0, b2=1.0, c3=1.0,
            d4={"torch": "2.99.0", "factor": 1.2},
            e5={"source": "xyz", "factor": 1.2},
            f6={"facts": {"memory_bytes": 2**33}, "machine": "same"},
            g7={"machine": "same", "others": ',"other_runs":1'},
        )
    )  # fmt: skip
    apart = found.judged.set_index("node")["apart"].to_dict()
    assert [apart[node] for node in ("a1", "b2", "c3", "g7")] == [""] * 4
    assert apart["d4"].startswith("torch 2.99.0 where most of its model have 2.")
    assert apart["e5"] == "stepbench xyz where most of its model have abc"
    assert apart["f6"].startswith("memory of 8 GiB where most of its model have ")
    assert SLOWER not in set(found.judged["verdict"])
    shown = lines(found)
    assert "e5: other files of stepbench than at home, by which the fleet was asked for" in shown
    assert "g7: other runs of stepbench measured there at the same time" in shown
    assert any(line.startswith("f6, g7: are one machine") for line in shown)
    assert any(line.startswith("apart: d4: torch 2.99.0") and line.endswith("; judged apart from them") for line in shown)


def test_a_model_is_a_letter_where_there_are_several(fleet):
    place = fleet(a1=1.0, b2=1.0, c3="")
    put(place / "c3", "c3", factor=0.5, machine="another-cpu-with-a-long-name-64-cpus+and-its-gpu")
    shown = lines(merged.merge(place), width=80)
    assert shown[:2] == ["A: m", "B: another-cpu-with-a-long-name-64-cpus+and-its-gpu"]
    assert shown[3].split()[:2] == ["c3", "B"], "the quickest first"
    assert any(line.startswith("c3: no equal to judge it by") for line in shown)


def test_a_machine_that_differs_from_itself_proves_nothing(fleet):
    found = merged.merge(fleet(a1={"machine": "same"}, b2=1.0, c3=1.0, d4={"machine": "same", "factor": 1.1}))
    (doubt,) = found.doubts
    assert doubt.startswith("UNPROVEN: a1, d4 are one machine")
    assert lines(found)[-1] == doubt
    assert found.outcome() == ExitCode.UNPROVEN
    assert merged.merge(found.fleet.folder, margin=0.2).doubts == []


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_fits(fleet, width):
    found = merged.merge(fleet(**{f"a{number}bc{number}": 1.0 + number / 1000 for number in range(9)}))
    table = lines(found, width)[1:11]
    assert max(map(len, table)) <= width
    assert {"node", "beside", "equals", "verdict"} <= {*table[0].split()}
    assert ("torch_manual" in table[0]) == (width == 140)


def test_every_number_is_in_the_csv_and_the_table_in_markdown(fleet):
    found = merged.merge(fleet(a1=1.0, b2=1.0, c3=1.5))
    merged.write(found)
    written = read_csv(found.fleet.folder / "fleet.csv")
    assert set(written["node"]) == {"a1", "b2", "c3"}
    slow = written[(written["node"] == "c3") & (written["backend"] == "numpy_manual")].iloc[0]
    assert slow["beside_equals"] == pytest.approx(1.5)
    page = (found.fleet.folder / "fleet.md").read_text()
    assert "| c3 |" in page
    assert "**SLOWER: c3 takes 1.500 times" in page


def test_a_damaged_table_of_one_node_spoils_no_other(fleet):
    place = fleet(a1=1.0, b2=1.0, c3=1.0)
    (summary,) = (place / "b2").rglob("summary.csv")
    summary.write_text(summary.read_text()[:-40])
    found = merged.merge(place)
    assert sorted(found.judged["node"]) == ["a1", "c3"]
    assert found.missing == {"b2": "its run is here, and cannot be read"}
    assert any("summary.csv" in note for note in found.notes)
