"""If these fail, a backend that fails is not found by its line, or a worker prints into its replies."""

import json
import subprocess
import sys

import pytest

from bench import conversation
from bench.errors import UsageError, Wrong
from bench.worker.requests import Requests
from tests.support import EVERYTHING, clean_environ

RAISES = "x = 1\n\n\ndef fail():\n    raise ValueError('not today')\n\n\nfail()\n"
ASKS_NUMPY = "import numpy as np\n\nnp.zeros(3).reshape(2, 2)\n"


@pytest.mark.parametrize(
    ("folder", "text", "says"),
    [
        ("bench", RAISES, "raised ValueError: not today at fails.py:5"),
        ("lib/python3.12", RAISES, "raised ValueError: not today at fails.py:5"),
        ("plain", ASKS_NUMPY, "raised ValueError: cannot reshape array of size 3 into shape (2,2) at fails.py:3"),
    ],
)
def test_a_failure_names_the_line_of_the_backend_that_raised_or_called_a_library(folder, text, says, tmp_path):
    path = tmp_path / folder / "fails.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    reply = conversation.answer(Requests(1).describe, {"path": str(path), "devices": ["cpu"]})
    assert reply == {"status": "failed", "reason": says}


@pytest.mark.parametrize(
    ("raised", "status", "reason"),
    [
        (Wrong("is odd"), "wrong", "is odd"),
        (UsageError("no file"), "usage", "no file"),
        (SystemExit(3), "failed", "raised SystemExit: 3"),
        (KeyboardInterrupt(), "failed", "raised KeyboardInterrupt"),
    ],
)
def test_an_exception_becomes_a_status_and_a_sentence(raised, status, reason):
    def method():
        raise raised

    reply = conversation.answer(method, {})
    assert reply["status"] == status
    assert reply["reason"].startswith(reason)


SETUP = {"threads": 1, "cpus": [], "memory": None, "socket": None, "region": 0}


def _about(needed: str, before: str):
    """What a worker replies and prints, in an interpreter in which this code has run before."""
    code = f"{before}; from bench.worker import __main__ as worker; worker.run({SETUP})"
    request = json.dumps({"do": "about", "needed": [needed, "json"], "packages": []}) + "\n"
    environ = clean_environ() | EVERYTHING
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environ, input=request, capture_output=True, text=True)
    return json.loads(done.stdout), done.stderr


def test_a_worker_without_numpy_says_what_its_interpreter_lacks():
    reply, _ = _about("numpy_of_nowhere", "import sys; sys.modules['numpy'] = None")
    assert reply["missing"] == ["numpy_of_nowhere"]


def test_a_worker_that_prints_does_not_disturb_its_replies():
    reply, printed = _about("hello", "import importlib.util; importlib.util.find_spec = print")
    assert (reply["missing"], printed) == (["hello", "json"], "hello\njson\n")
