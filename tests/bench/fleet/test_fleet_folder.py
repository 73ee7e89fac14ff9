"""If these fail, a fleet's table mixes machines that differ, hides a node, or does not fit."""

import pytest

from bench.analyse.verdicts import SLOWER
from bench.fleet import folder
from bench.record import journal
from bench.show import grid
from tests.made import NAMES, a_case, story, write


@pytest.fixture
def fleet(tmp_path):
    """`fleet(node=…)` merges nodes: each is a factor, arguments of `put`, or why it is missing."""

    def build(**nodes):
        folder.append(tmp_path, {"nodes": [*nodes], "stepbench": "abc"})
        for node, what in nodes.items():
            record = {"node": node, "stepbench": "abc", "reason": what if isinstance(what, str) else ""}
            if not isinstance(what, str):
                given = dict(what) if isinstance(what, dict) else {"factor": what}
                record["stepbench"] = given.pop("stepbench", "abc")
                put(tmp_path / node, node, **given)
            folder.append(tmp_path, record)
        judged, notes, wrong = folder.merge(tmp_path)
        return judged.set_index("node", drop=False), notes, wrong

    return build


def put(place, node, factor=1.0, numpy="2", memory=2**33, doctor=(), others=0, machine="m"):
    """Writes the journal of a run whose passes differ by some thousandths."""
    times = {"base": factor * 1e-4, "slow": factor * 2e-4, "twin": factor * 1e-4}
    told = story(
        lambda name, number, block: times[name] * (1 + number / 1000), passes=4, singly=True,
        run=f"r-{node}", doctor=[*doctor], settings={"processes": 4}, machine_name=machine,
        machine={"memory_bytes": memory},
        cases=[a_case(name, versions={"numpy": numpy}) for name in NAMES],
    )  # fmt: skip
    for record in told.records:
        if record["record"] == "pass" and others:
            record["other_runs"] = others
    write(told, place / machine / f"r-{node}")


def test_a_slow_node_is_named_with_what_the_doctor_does_not_say_everywhere(fleet):
    slow = {"factor": 1.03, "doctor": ["the governor is powersave", "steal time"], "others": 1}
    usual = {"doctor": ["steal time"]}
    judged, (note,), wrong = fleet(a1=usual, b2={"factor": 1.001, **usual}, c3={"factor": 0.999, **usual}, d4=usual, e5=slow)
    assert (judged.loc["e5", "verdict"], wrong) == (SLOWER, False)
    assert note.startswith("SLOWER: e5 on cpu +")
    assert note.endswith("; the governor is powersave; other runs of stepbench measured there")


def test_nodes_that_differ_in_something_known_are_judged_apart(fleet):
    d4, e5 = {"numpy": "3", "factor": 1.2}, {"stepbench": "xyz", "factor": 1.2}
    judged, notes, _ = fleet(a1=1.0, b2=1.0, c3=1.0, d4=d4, e5=e5, f6={"memory": 2**32})
    assert judged["apart"].to_dict() == {
        **dict.fromkeys(("a1", "b2", "c3"), ""),
        "d4": "numpy 3 where most of its model have 2",
        "e5": "stepbench xyz where most of its model have abc",
        "f6": "memory 4 GiB where most of its model have 8 GiB",
    }
    assert SLOWER not in set(judged["verdict"])
    assert "e5: other files of stepbench than at home (abc)" in notes


def test_a_missing_node_is_listed_and_a_fleet_without_runs_has_a_table_too(fleet, tmp_path):
    judged, notes, wrong = fleet(a1="its command died of SIGKILL")
    assert (len(judged), notes, wrong) == (0, ["missing: a1: its command died of SIGKILL"], True)
    folder.show(tmp_path, judged, notes, grid.console(width=80))
    assert "\n- missing: a1: its command died of SIGKILL\n" in (tmp_path / "fleet.md").read_text()


def test_a_damaged_run_of_one_node_leaves_the_others(fleet, tmp_path):
    fleet(a1=1.0, b2=1.0, c3=1.0)
    (file,) = (tmp_path / "b2").rglob(journal.NAME)
    file.write_text("{}\n" + file.read_text())
    judged, notes, wrong = folder.merge(tmp_path)
    assert (sorted(judged["node"]), wrong) == (["a1", "c3"], True)
    assert notes[0].startswith(f"missing: b2: {file}")


@pytest.mark.parametrize("width", [60, 140])
def test_the_table_fits_and_has_the_fastest_node_of_a_model_first(fleet, tmp_path, width):
    judged, notes, _ = fleet(b2=1.5, a1=1.0, c3=1.01, d4={"factor": 0.5, "machine": "n"})
    console = grid.console(width=width)
    with console.capture() as captured:
        folder.show(tmp_path, judged, notes, console)
    lines = captured.get().splitlines()
    where = lines[0].split().index("node")
    assert [line.split()[where] for line in lines[:5]] == ["node", "a1", "c3", "b2", "d4"]
    assert max(map(len, lines[:5])) <= width
    assert ("base" in lines[1].split()) == (width == 140)
    assert "d4: no equal to judge it by" in lines
    assert "| d4 |" in (tmp_path / "fleet.md").read_text()


def test_a_record_is_on_the_disk_before_the_next(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(folder.os, "fsync", lambda _: synced.append((tmp_path / folder.NAME).read_text()))
    for node in "ab":
        folder.append(tmp_path, {"node": node})
    assert synced == ['{"node":"a"}\n', '{"node":"a"}\n{"node":"b"}\n']
