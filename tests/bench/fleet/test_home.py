"""If these fail, a node that dies or is late takes others along, or what it measured is lost."""

import pytest

from bench.errors import UsageError
from bench.fleet import home, private
from bench.record import journal
from tests.bench.fleet.made import archive, delivery, fleet, journal_bytes


@pytest.fixture(autouse=True)
def quick_and_private(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(home, "GRACE", 0.1)


def runs(place, node):
    return [path.name for path in home.runs(place / private.ids([node])[node])]


def test_every_node_gets_the_same_request_and_its_folder_comes_home(tmp_path):
    answers = {"alpha": delivery("run-a"), "beta": delivery("run-b")}
    engine, place, records = fleet(tmp_path, answers)
    ids = private.ids(answers)
    assert engine.requests["beta"] == {
        "fleet": "made", "node": ids["beta"], "settings": {"BENCH_BLOCKS": "2"}, "wait": 0.1, "seconds": 0.1,
    }  # fmt: skip
    assert (runs(place, "alpha"), runs(place, "beta")) == (["run-a"], ["run-b"])
    assert [record["reason"] for record in records.values()] == ["", ""]
    assert engine.closed


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "no answer within 0.00333 minutes (--wait, --minutes); --resume fetches what it has by then"),
        (UsageError("SLURM reports CANCELLED"), "SLURM reports CANCELLED"),
        (RuntimeError("Traceback\n\nlost its node\n"), "RuntimeError: lost its node"),
        (b"", "returned no run, but 'nothing'"),
        (b"Welcome\nPermission denied.\n", "returned no run, but 'Permission denied.'"),
        (archive(reason="its run died of SIGKILL"), "its run died of SIGKILL"),
    ],
)
def test_what_happened_to_a_node_is_one_sentence_and_the_others_come_home(tmp_path, answer, says):
    _, place, records = fleet(tmp_path, {"alpha": answer, "beta": delivery()})
    assert records["alpha"]["reason"] == says
    assert runs(place, "beta") == ["r"]


def test_an_engine_that_refuses_a_node_stops_no_other(tmp_path, monkeypatch):
    refuse = "tests.bench.fleet.made.Engine.submit"
    submit = __import__("tests.bench.fleet.made", fromlist=["Engine"]).Engine.submit

    def refused(engine, function, request, node):
        if node == "alpha":
            raise UsageError("is no living node")
        return submit(engine, function, request, node)

    monkeypatch.setattr(refuse, refused)
    _, place, records = fleet(tmp_path, {"alpha": None, "beta": delivery()})
    assert (records["alpha"]["reason"], runs(place, "beta")) == ("is no living node", ["r"])


def test_a_resumed_fleet_submits_missing_nodes_only(tmp_path):
    fleet(tmp_path, {"alpha": delivery(), "beta": None})
    engine, place, records = fleet(tmp_path, {"alpha": delivery("other"), "beta": delivery()})
    assert [*engine.requests] == ["beta"]
    assert (runs(place, "alpha"), records["beta"]["reason"]) == (["r"], "")


def test_an_incomplete_run_is_replaced_and_a_complete_one_is_not(tmp_path):
    file = tmp_path / "node" / "m" / "r" / journal.NAME
    for end, content in ((False, b"x"), (True, b"y"), (False, b"z")):
        files = {"m/r/journal.jsonl": journal_bytes(end=end), "m/r/summary.csv": content}
        home.unpack(archive(files), tmp_path / "node")
        assert journal.ended(file) == (end or content == b"z")
    assert file.with_name("summary.csv").read_bytes() == b"y"
    assert [path.name for path in (tmp_path / "node").iterdir()] == ["m"]


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "m/../../evil", "m/r/sub/evil", "evil"])
def test_an_archive_writes_nothing_outside_its_runs(tmp_path, name):
    home.unpack(archive({"m/r/journal.jsonl": journal_bytes(), name: b"x"}), tmp_path / "node")
    evil = [path for path in tmp_path.rglob("evil") if path.parent.parent.parent != tmp_path / "node" / "m"]
    assert evil == []


def test_a_damaged_archive_leaves_nothing_behind(tmp_path):
    whole = archive({"m/r/journal.jsonl": journal_bytes() * 50})
    with pytest.raises(UsageError, match="returned no run"):
        home.unpack(whole[: len(whole) // 2], tmp_path / "node")
    assert [*(tmp_path / "node").iterdir()] == []


def test_ctrl_c_keeps_what_came_home(tmp_path, monkeypatch):
    def interrupted(futures, timeout):
        yield next(future for future in futures if future.done())
        raise KeyboardInterrupt

    monkeypatch.setattr(home, "as_completed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fleet(tmp_path, {"alpha": None, "beta": delivery()})
    records = home.read(tmp_path / "fleet")[1]
    reason = "no answer before Ctrl-C; --resume fetches what it has by then"
    assert [record["reason"] for record in records.values()] == [reason, ""]
    assert runs(tmp_path / "fleet", "beta") == ["r"]


def test_no_name_of_a_host_is_in_a_file_of_the_folder(tmp_path):
    names = ["alpha.example.org", "user@beta", "192.0.2.7"]
    answers = {
        names[0]: UsageError("ssh: connect to host alpha.example.org port 22: refused by alpha"),
        names[1]: UsageError("beta: Permission denied for user@beta."),
        names[2]: delivery(printed="192.0.2.7 said no", reason="because of 192.0.2.7"),
    }
    _, place, records = fleet(tmp_path, answers)
    a, b, c = private.ids(names).values()
    assert [record["reason"] for record in records.values()] == [
        f"ssh: connect to host {a} port 22: refused by {a}", f"{b}: Permission denied for {b}.", f"because of {c}",
    ]  # fmt: skip
    texts = "".join(path.read_text() for path in place.rglob("*") if path.is_file())
    assert not [part for part in ("alpha", "beta", "192.0.2.7", "user") if part in texts]


def test_a_node_keeps_its_id_and_only_the_user_can_read_the_salt():
    ids = private.ids(["alpha", "beta"])
    assert private.ids(["beta", "alpha"]) == ids
    assert (private.place() / "salt").stat().st_mode & 0o077 == 0
    (private.place() / "salt").write_bytes(b"another")
    assert private.ids(["alpha"]) != {"alpha": ids["alpha"]}
    with pytest.raises(UsageError, match="names alpha twice"):
        private.ids(["alpha", "alpha"])


def test_a_fleet_is_recalled_by_its_name_or_as_the_latest(tmp_path):
    starts = [private.Start(f"2026010{day}T000000Z", "command", "x", ["a"], {}, "") for day in (1, 2)]
    for start in starts:
        private.remember(start)
    assert private.recall() == starts[1]
    assert private.recall(starts[0].fleet) == starts[0]
    assert (private.place() / f"{starts[0].fleet}.json").stat().st_mode & 0o077 == 0
    with pytest.raises(UsageError, match="--resume 2025: "):
        private.recall("2025")
