"""If these fail, two runs spoil each other's times and neither says so."""

import fcntl
import os
import tempfile
import threading
from pathlib import Path

from bench.machine import presence


def test_a_run_whose_file_another_took_for_left_behind_is_seen_all_the_same(tmp_path, monkeypatch):
    """Between opening and locking it, the other run finds it unlocked and removes it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    lock, removed = fcntl.flock, []

    def late(file, how):
        if not removed:
            removed.append(Path(file.name))
            removed[0].unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with presence.shown() as others:
        assert presence._is_held(removed[0])
        assert others() == 0
    assert not removed[0].exists()


def test_a_file_that_a_killed_run_left_is_no_run_and_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with presence.shown() as others:
        (folder,) = tmp_path.iterdir()
        left = folder / "1"
        left.touch()
        assert others() == 0
        assert not left.exists()


def test_a_run_with_the_same_process_id_is_seen_and_not_waited_for(tmp_path, monkeypatch):
    """In another container that shares the folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "getpid", lambda: 7)
    seen = []

    def second():
        with presence.shown() as others:
            seen.append(others())

    with presence.shown():
        thread = threading.Thread(target=second, daemon=True)
        thread.start()
        thread.join(10)
        assert seen == [1]
