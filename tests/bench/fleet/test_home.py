"""If these fail, a node that dies, hangs, comes late or comes twice takes others with it, or what it measured is lost."""

import errno
import threading
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.fleet import folder, private
from tests.bench.fleet.made import Made, archive, delivery, end, fleet, hello, journal_bytes, said


@pytest.fixture(autouse=True)
def private_state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def outcomes(running):
    found = running.measure()
    return {node: found[id_] for node, id_ in running.ids.items() if id_ in found}


def test_every_node_is_asked_for_the_same_and_its_folder_is_brought_home(tmp_path):
    heard = []
    running, engine = fleet(
        tmp_path,
        {name: [Made(hello(), said("measuring"), delivery(f"run-{name}"), end())] for name in ("alpha", "beta")},
        heard=heard,
    )
    found = outcomes(running)
    assert {name: (each.state, each.complete) for name, each in found.items()} == {
        "alpha": ("done", ["m/run-alpha"]),
        "beta": ("done", ["m/run-beta"]),
    }
    assert {request["settings"]["BENCH_BLOCKS"] for _, request in engine.requests} == {"2"}
    assert sorted(request["node"] for _, request in engine.requests) == sorted(running.ids.values())
    for node, id_ in running.ids.items():
        assert [run.name for run in folder.of_node(running.folder, id_)] == [f"run-{node}"]
    assert f"{running.ids['alpha']} (alpha): measuring" in heard


def test_a_message_may_come_in_any_pieces(tmp_path):
    whole = hello() + b"Welcome to alpha!\n" + delivery() + end()
    pieces = [whole[i : i + 7] for i in range(0, len(whole), 7)]
    running, _ = fleet(tmp_path, {"alpha": [Made(*pieces)]})
    assert outcomes(running)["alpha"].state == "done"


@pytest.mark.parametrize(
    ("jobs", "says"),
    [
        ([Made(hangs=True)], "never came: said nothing within 0.005 minutes (--wait)"),
        ([Made(hello(), said("measuring"), hangs=True), Made(hello(), end())], "hangs: no sign of life for 0.3 s"),
        ([Made(b"ssh: no route to alpha.lab\n", fate="its command ended with exit code 255")], "exit code 255"),
        ([Made(b"Permission denied (publickey).\n")], "it said 'Permission denied (publickey).'"),
        ([Made()], "ended without a word"),
        ([Made(hello(), end("its run died of SIGKILL", code=-9))], "its run died of SIGKILL"),
        ([Made(hello(), said("folder", b"x"), end()), Made(hello(), end())], "what it sent is no archive: not a gzip file"),
    ],
)  # fmt: skip
def test_what_happened_to_a_node_is_said_and_the_others_go_on(tmp_path, jobs, says):
    running, _ = fleet(tmp_path, {"alpha.lab": [*jobs, Made(hello(), end())], "beta": [Made(hello(), delivery(), end())]})
    found = outcomes(running)
    assert found["beta"].state == "done"
    assert found["alpha.lab"].state == "missing"
    assert says in found["alpha.lab"].reason
    assert folder.read(running.folder).nodes[running.ids["alpha.lab"]]["reason"] == found["alpha.lab"].reason


def test_signs_of_life_keep_a_node_that_takes_long(tmp_path):
    beats = [part for _ in range(5) for part in (0.15, said("beat"))]
    running, _ = fleet(tmp_path, {"alpha": [Made(hello(), said("measuring"), *beats, delivery(), end())]})
    assert outcomes(running)["alpha"].state == "done"


def test_what_a_node_that_was_cut_off_has_measured_is_fetched(tmp_path):
    cut = [Made(hello(), said("measuring"), fate="Ray says NodeDiedError"), Made(hello(), delivery(end=False), end())]
    running, engine = fleet(tmp_path, {"alpha": cut})
    found = outcomes(running)["alpha"]
    assert [request["do"] for _, request in engine.requests] == ["run", "collect"]
    assert (found.state, found.reason, found.runs) == ("missing", "Ray says NodeDiedError", ["m/r"])
    assert len(folder.of_node(running.folder, running.ids["alpha"])) == 1


def test_a_node_that_has_said_all_is_not_asked_twice(tmp_path):
    said_all = [Made(hello(), said("measuring"), delivery(end=False), end("its run died of SIGKILL", code=-9))]
    running, engine = fleet(tmp_path, {"alpha": said_all})
    assert outcomes(running)["alpha"].reason == "its run died of SIGKILL"
    assert len(engine.requests) == 1


def test_a_full_disk_at_home_is_told_apart_from_one_on_the_node(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder, "_put", full)
    running, _ = fleet(tmp_path, {"alpha": [Made(hello(), delivery(), end()), Made(hello(), delivery(), end())]})
    assert outcomes(running)["alpha"].reason.startswith("its folder cannot be written at home: No space left on device")


def test_a_resumed_fleet_asks_only_those_that_are_missing(tmp_path):
    first, _ = fleet(tmp_path, {"alpha": [Made(hello(), delivery(), end())], "beta": [Made(fate="gone")]})
    outcomes(first)
    again, engine = fleet(tmp_path, {"alpha": [], "beta": [Made(hello(), delivery(), end())]})
    assert {name: each.state for name, each in outcomes(again).items()} == {"beta": "done"}
    assert [node for node, _ in engine.requests] == ["beta"]
    assert {record["state"] for record in folder.read(again.folder).nodes.values()} == {"done"}


def test_the_same_run_twice_is_kept_once(tmp_path):
    heard = []
    running, _ = fleet(tmp_path, {"alpha": [Made(hello(), delivery(), delivery(), end())]}, heard=heard)
    found = outcomes(running)["alpha"]
    assert (found.state, found.again) == ("done", ["m/r"])
    assert len(folder.of_node(running.folder, running.ids["alpha"])) == 1
    assert any("m/r was here already and is kept once" in text for text in heard)


def test_ctrl_c_asks_every_node_to_stop_and_takes_what_they_have(tmp_path, monkeypatch):
    job = Made(hello(), 0.2, delivery(end=False), end("was asked to stop"))
    running, _ = fleet(tmp_path, {"alpha": [job]})
    waited = threading.Event()

    class Interrupted:
        def result(self):
            if not waited.is_set():
                waited.set()
                raise KeyboardInterrupt
            self.thread.join()

    class Pool:
        def __init__(self, max_workers):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, function, *arguments):
            future = Interrupted()
            future.thread = threading.Thread(target=function, args=arguments)
            future.thread.start()
            while not running._jobs:
                pass
            return future

    monkeypatch.setattr("bench.fleet.home.ThreadPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt):
        running.measure()
    assert job.stopped[0] is True
    assert folder.read(running.folder).nodes[running.ids["alpha"]]["reason"] == "was asked to stop"
    assert len(folder.of_node(running.folder, running.ids["alpha"])) == 1


def test_no_name_of_a_host_is_in_a_file_of_the_folder(tmp_path):
    names = ["alpha.example.org", "user@beta", "192.0.2.7"]
    printed = archive({"m/r/journal.jsonl": journal_bytes(), "printed.txt": b"alpha.example.org said no"})
    jobs = {
        names[0]: [Made(fate="ssh: connect to host alpha.example.org port 22: refused by alpha")],
        names[1]: [Made(fate="beta: Permission denied for user@beta.")],
        names[2]: [Made(hello(), said("folder", printed), end("told by 192.0.2.7"))],
    }
    running, _ = fleet(tmp_path, jobs)
    found = outcomes(running)
    ids = running.ids
    assert found[names[0]].reason == f"ssh: connect to host {ids[names[0]]} port 22: refused by {ids[names[0]]}"
    assert found[names[1]].reason == f"{ids[names[1]]}: Permission denied for {ids[names[1]]}."
    texts = "".join(path.read_text() for path in running.folder.rglob("*") if path.is_file())
    assert not [part for part in ("alpha", "beta", "192.0.2.7", "user") if part in texts]


def test_a_node_keeps_its_id_and_the_salt_is_not_for_others(tmp_path):
    ids = private.ids(["alpha", "beta"])
    assert private.ids(["beta", "alpha"]) == ids
    assert all(len(id_) == private.DIGITS for id_ in ids.values())
    assert (private.place() / "salt").stat().st_mode & 0o077 == 0
    (private.place() / "salt").write_bytes(b"another")
    assert private.ids(["alpha"]) != {"alpha": ids["alpha"]}
    with pytest.raises(UsageError, match="names alpha twice"):
        private.ids(["alpha", "alpha"])


def test_how_a_fleet_was_started_is_known_to_its_user_alone(tmp_path):
    asked = private.Asked("20260101T000000Z", "command", "ssh {node} x", ["alpha"], {}, str(tmp_path))
    private.remember(asked)
    assert private.recall(private.latest()) == asked
    assert Path(private.place() / "20260101T000000Z.json").stat().st_mode & 0o077 == 0
    with pytest.raises(UsageError, match="--resume 2025: nothing is known of how it was started"):
        private.recall("2025")
