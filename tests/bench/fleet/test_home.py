"""If these fail, a node that dies or is late takes others along, or what it measured is lost."""

import pytest

from bench.errors import UsageError
from bench.fleet import folder, home
from bench.record import journal
from tests.bench.fleet.made import archive, delivery, fleet, journal_bytes


@pytest.fixture(autouse=True)
def quick_and_private(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(home, "GRACE", 0.1)


def runs(place, node):
    return [path.name for path in folder.runs(place / home.ids([node])[node])]


def test_every_node_gets_the_same_request_and_its_folder_comes_home(tmp_path):
    answers = {"alpha": delivery("run-a"), "beta": delivery("run-b")}
    engine, place, records = fleet(tmp_path, answers)
    request = engine.requests["beta"]
    assert request.pop("node") == home.ids(answers)["beta"]
    settings = {"BENCH_BLOCKS": "2"}
    assert request == {"fleet": "made", "settings": settings, "wait": 0.1, "seconds": 0.1}
    assert (runs(place, "alpha"), runs(place, "beta")) == (["run-a"], ["run-b"])
    assert [record["reason"] for record in records.values()] == ["", ""]
    assert engine.closed


LATE = "no answer within 0.00333 minutes (--wait, --minutes); --resume fetches what it has by then"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, LATE),
        (UsageError("is no living node"), "is no living node"),
        (RuntimeError("Traceback\n\nlost its node\n"), "RuntimeError: lost its node"),
        (b"", "returned no run, but 'nothing'"),
        (b"Welcome\nPermission denied.\n", "returned no run, but 'Permission denied.'"),
        (archive(reason="its run died of SIGKILL"), "its run died of SIGKILL"),
    ],
)
def test_a_fault_of_a_node_is_one_sentence_and_the_others_come_home(tmp_path, answer, says):
    _, place, records = fleet(tmp_path, {"alpha": answer, "beta": delivery()})
    assert records["alpha"]["reason"] == says
    assert runs(place, "beta") == ["r"]


def test_a_resumed_fleet_submits_missing_nodes_only(tmp_path):
    fleet(tmp_path, {"alpha": delivery(), "beta": None})
    engine, place, records = fleet(tmp_path, {"alpha": delivery("other"), "beta": delivery()})
    assert [*engine.requests] == ["beta"]
    assert (runs(place, "alpha"), records["beta"]["reason"]) == (["r"], "")


def test_an_incomplete_run_is_replaced_and_a_complete_one_is_not(tmp_path):
    for end, content in ((False, b"x"), (True, b"y"), (False, b"z")):
        files = {"m/r/journal.jsonl": journal_bytes(end=end), "m/r/summary.csv": content}
        folder.unpack(archive(files), tmp_path / "node")
    assert journal.ended(tmp_path / "node" / "m" / "r")
    assert (tmp_path / "node" / "m" / "r" / "summary.csv").read_bytes() == b"y"
    assert [path.name for path in (tmp_path / "node").iterdir()] == ["m"]


def test_an_archive_writes_nothing_outside_its_runs_and_a_damaged_one_nothing(tmp_path):
    names = ("../evil", "/tmp/evil", "m/../../evil", "evil")
    whole = archive({"m/r/journal.jsonl": journal_bytes() * 50, **dict.fromkeys(names, b"x")})
    with pytest.raises(UsageError, match="returned no run"):
        folder.unpack(whole[: len(whole) // 2], tmp_path / "node")
    assert [*(tmp_path / "node").iterdir()] == []
    folder.unpack(whole, tmp_path / "node")
    assert [*tmp_path.rglob("evil")] == []


def test_ctrl_c_keeps_what_came_home(tmp_path, monkeypatch):
    def interrupted(futures, timeout):
        yield next(future for future in futures if future.done())
        raise KeyboardInterrupt

    monkeypatch.setattr(home, "as_completed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fleet(tmp_path, {"alpha": None, "beta": delivery()})
    reasons = [record["reason"] for record in folder.read(tmp_path / "fleet")[1].values()]
    assert reasons == ["no answer before Ctrl-C; --resume fetches what it has by then", ""]
    assert runs(tmp_path / "fleet", "beta") == ["r"]


def test_no_name_of_a_host_is_in_a_file_of_the_folder(tmp_path):
    answers = {
        "alpha.example.org": UsageError("alpha.example.org port 22: refused by alpha"),
        "user@beta": UsageError("beta: Permission denied for user@beta."),
        "192.0.2.7": delivery(printed="192.0.2.7 said no", reason="because of 192.0.2.7"),
    }
    _, place, records = fleet(tmp_path, answers)
    a, b, c = home.ids(answers).values()
    says = [f"{a} port 22: refused by {a}", f"{b}: Permission denied for {b}.", f"because of {c}"]
    assert [record["reason"] for record in records.values()] == says
    texts = "".join(path.read_text() for path in place.rglob("*") if path.is_file())
    assert not [part for part in ("alpha", "beta", "192.0.2.7", "user") if part in texts]


def test_a_node_keeps_its_id_and_only_the_user_can_read_the_salt():
    ids = home.ids(["alpha", "beta"])
    assert home.ids(["beta", "alpha"]) == ids
    assert (home.state() / "salt").stat().st_mode & 0o077 == 0
    (home.state() / "salt").write_bytes(b"another")
    assert home.ids(["alpha"]) != {"alpha": ids["alpha"]}
