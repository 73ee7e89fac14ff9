"""If these fail, two runs spoil each other's times and neither says so."""

import fcntl
import os
import tempfile
import threading

from bench.machine import presence


def test_a_run_is_not_visible_before_its_file_is_locked(tmp_path, monkeypatch):
    """Else another run would find it unlocked, take it for one that was left behind and remove it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    lock, visible = fcntl.flock, []

    def late(file, how):
        visible.append([*tmp_path.glob(f"*/*{presence.SUFFIX}")])
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with presence.shown() as others:
        assert others() == 0
        (mine,) = tmp_path.glob("*/*")
        assert presence._is_held(mine)
    assert visible[0] == []
    assert not mine.exists()


def test_a_file_that_a_killed_run_left_is_no_run_and_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with presence.shown() as others:
        (folder,) = tmp_path.iterdir()
        left = folder / f"1{presence.SUFFIX}"
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
