"""If these fail, a fleet's table mixes machines that differ, hides a node, or does not fit."""

import pytest

from bench.analyse.verdicts import SLOWER
from bench.errors import ExitCode
from bench.fleet import folder
from bench.record import journal
from bench.show import fleet_tables
from tests.made import NAMES, a_case, story, write


@pytest.fixture
def fleet(tmp_path):
    """`fleet(node=…)` merges nodes: each is a factor, arguments of `put`, or why it is missing."""

    def build(**nodes):
        folder.append(tmp_path, {"nodes": [*nodes], "stepbench": "abc"})
        for node, what in nodes.items():
            what = what if isinstance(what, dict | str) else {"factor": what}
            record = {"node": node, "stepbench": "abc", "reason": ""}
            if isinstance(what, str):
                record["reason"] = what
            else:
                record["stepbench"] = what.pop("stepbench", "abc")
                put(tmp_path / node, node, **what)
            folder.append(tmp_path, record)
        return folder.merge(tmp_path)

    return build


def put(place, node, factor=1.0, numpy="2", memory=2**33, doctor=(), others=0):
    """Writes the journal of a run whose passes differ by some thousandths."""
    times = {"base": factor * 1e-4, "slow": factor * 2e-4, "twin": factor * 1e-4}
    told = story(
        lambda name, number, block: times[name] * (1 + number / 1000), passes=4, singly=True,
        run=f"r-{node}", doctor=[*doctor], settings={"processes": 4},
        machine={"memory_bytes": memory},
        cases=[a_case(name, versions={"numpy": numpy}) for name in NAMES],
    )  # fmt: skip
    for record in told.records:
        if record["record"] == "pass" and others:
            record["other_runs"] = others
    write(told, place / "m" / f"r-{node}")


def test_a_slow_node_is_named_with_what_the_doctor_says_there_alone(fleet):
    slow = {"factor": 1.03, "doctor": ["the governor is powersave", "steal time"]}
    found = fleet(a1=1.0, b2={"factor": 1.001, "doctor": ["steal time"]}, c3=0.999, d4=1.0, e5=slow, f6=slow | {"numpy": "3"})
    assert found.judged.set_index("node")["verdict"].to_dict()["e5"] == SLOWER
    assert found.notes == ["e5, and none of its equals: the governor is powersave"]
    codes = [found.outcome(share) for share in (None, 0.0, 0.02, 0.05)]
    assert codes == [ExitCode.FINE, ExitCode.WRONG, ExitCode.WRONG, ExitCode.FINE]


def test_a_missing_node_is_listed_and_a_fleet_without_runs_has_files_too(fleet):
    found = fleet(a1="its command died of SIGKILL")
    assert found.outcome() == ExitCode.WRONG
    assert found.notes == ["missing: a1: its command died of SIGKILL"]
    assert [*fleet_tables.files(found.rows, found.judged, found.notes)] == ["fleet.md", "fleet.csv"]


def test_nodes_that_differ_in_something_known_are_judged_apart(fleet):
    d4, e5 = {"numpy": "3", "factor": 1.2}, {"stepbench": "xyz", "factor": 1.2}
    found = fleet(a1=1.0, b2=1.0, c3=1.0, d4=d4, e5=e5, f6={"memory": 2**32}, g7={"others": 1})
    assert found.judged.set_index("node")["apart"].to_dict() == {
        **dict.fromkeys(("a1", "b2", "c3", "g7"), ""),
        "d4": "numpy 3 where most of its model have 2",
        "e5": "stepbench xyz where most of its model have abc",
        "f6": "memory 4 GiB where most of its model have 8 GiB",
    }
    assert SLOWER not in set(found.judged["verdict"])
    assert found.notes == [
        "e5: other files of stepbench than at home (abc)",
        "g7: other runs of stepbench measured there meanwhile",
    ]


def test_a_damaged_run_of_one_node_leaves_the_others(fleet, tmp_path):
    fleet(a1=1.0, b2=1.0, c3=1.0)
    (file,) = (tmp_path / "b2").rglob(journal.NAME)
    file.write_text("{}\n" + file.read_text())
    found = folder.merge(tmp_path)
    assert sorted(found.judged["node"]) == ["a1", "c3"]
    assert found.missing["b2"].startswith(str(file))
