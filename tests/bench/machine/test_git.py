"""If these fail, a run is filed under another commit than it measured, or git's silence ends it."""

import subprocess

import pytest

from bench.errors import UsageError
from bench.machine import git


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one commit."""
    for name in ("bench", "backends"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("1\n")
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
    with pytest.raises(UsageError, match="^git cannot be started: No such file or directory; install git.$"):
        git.ask(tmp_path, "status")


def test_a_hook_of_another_repository_changes_nothing(checkout, tmp_path_factory, monkeypatch):
    """git sets these for its hooks, and they would win over the folder that is asked about."""
    other = tmp_path_factory.mktemp("other")
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    own = git.commit(checkout)
    for name, value in {"GIT_DIR": ".git", "GIT_WORK_TREE": ".", "GIT_INDEX_FILE": ".git/index"}.items():
        monkeypatch.setenv(name, str(other / value))
    assert git.commit(checkout) == own


def test_an_installation_inside_another_repository_has_no_commit(checkout):
    installed = checkout / "venv" / "site-packages"
    for name in ("bench", "backends"):
        (installed / name).mkdir(parents=True)
        (installed / name / "a.py").touch()
    assert git.commit(installed) is None
