"""If these fail, a delivery overwrites what was measured, or writes where it must not."""

import io
import tarfile

import pytest

from bench.errors import UsageError
from bench.fleet import folder
from bench.record import journal
from tests.bench.fleet.made import archive, journal_bytes


def deliver(target, run="r", **journal):
    return folder.unpack(archive({f"m/{run}/journal.jsonl": journal_bytes(run, **journal), "printed.txt": b"hello"}), target)


def test_a_longer_journal_takes_the_place_of_its_beginning_and_never_the_other_way_round(tmp_path):
    assert deliver(tmp_path, end=False).complete == []
    assert deliver(tmp_path).complete == ["m/r"]
    late = deliver(tmp_path, end=False)
    assert (late.again, late.complete) == (["m/r"], ["m/r"])
    assert journal.ended(tmp_path / "m" / "r")


def test_another_run_of_the_same_name_is_kept_beside_it(tmp_path):
    deliver(tmp_path)
    other = deliver(tmp_path, doctor=["another one"])
    assert other.runs == ["m/r-2"]
    assert len(folder.of_node(tmp_path.parent, tmp_path.name)) == 2
    assert deliver(tmp_path, doctor=["another one"]).again == ["m/r"]


@pytest.mark.parametrize("name", ["../journal.jsonl", "/etc/x", "m/../../x", "m/r/sub/x", "m/.r/x", "a/b"])
def test_what_is_no_file_of_a_run_is_refused_as_a_whole(tmp_path, name):
    with pytest.raises(UsageError, match="which is no file of a run"):
        folder.unpack(archive({"m/r/journal.jsonl": journal_bytes(), name: b"x"}), tmp_path / "node")
    assert [*tmp_path.iterdir()] == []


def test_a_link_is_refused(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        entry = tarfile.TarInfo("m/r/journal.jsonl")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(UsageError, match="which is no file of a run"):
        folder.unpack(out.getvalue(), tmp_path / "node")


def test_an_archive_that_was_cut_off_is_refused(tmp_path):
    whole = archive({"m/r/journal.jsonl": journal_bytes() * 50})
    with pytest.raises(UsageError, match="what it sent is no archive"):
        folder.unpack(whole[: len(whole) // 2], tmp_path / "node")
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_is_no_fleets_is_said(tmp_path):
    (tmp_path / "fleet.jsonl").write_text("[]\n")
    with pytest.raises(UsageError, match="is no fleet's journal"):
        folder.read(tmp_path)
