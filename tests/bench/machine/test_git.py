"""If these fail, a run is filed under another commit than it measured, or git's silence ends it."""

import subprocess

import pytest

from bench.machine import git


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one commit."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "a.py").write_text("1\n")
    (tmp_path / "notes").write_text("1\n")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_a_commit_is_dirty_only_where_code_differs_from_it(checkout):
    clean = git.commit(checkout)
    assert len(clean) == 40
    (checkout / "notes").write_text("2\n")
    assert git.commit(checkout) == clean
    (checkout / "bench" / "a.py").write_text("2\n")
    assert git.commit(checkout) == f"{clean}+dirty"


def test_without_a_checkout_or_git_there_is_no_commit_but_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.commit(tmp_path) is None
    with pytest.raises(git.GitError, match="^fatal: not a git repository"):
        git.ask(tmp_path, "status")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.commit(tmp_path) is None
    with pytest.raises(git.NotStarted, match="^No such file or directory$"):
        git.ask(tmp_path, "status")
