"""If these fail, a backend that fails is told of without its line, or a worker cannot say what its interpreter lacks."""

import subprocess
import sys

import pytest

from bench.worker.__main__ import Worker
from tests.support import EVERYTHING, clean_environ

RAISES = "x = 1\n\n\ndef fail():\n    raise ValueError('not today')\n\n\nfail()\n"


@pytest.mark.parametrize("folder", ["bench", "lib/python3.12", "plain"])
def test_the_line_of_a_backend_is_told_wherever_it_lies(tmp_path, folder):
    path = tmp_path / folder / "fails.py"
    path.parent.mkdir(parents=True)
    path.write_text(RAISES)
    reply = Worker(1).answer({"do": "describe", "path": str(path), "devices": ["cpu"]})
    assert reply == {"status": "failed", "reason": "raised ValueError: not today at fails.py:5"}


def test_a_fault_of_a_library_is_told_at_the_line_that_called_it(tmp_path):
    (tmp_path / "asks_numpy.py").write_text("import numpy as np\n\nnp.zeros(3).reshape(2, 2)\n")
    reply = Worker(1).answer({"do": "describe", "path": str(tmp_path / "asks_numpy.py"), "devices": ["cpu"]})
    assert reply["reason"].endswith("at asks_numpy.py:3")


def test_what_an_interpreter_lacks_is_told_without_numpy():
    """A worker whose interpreter has no NumPy still answers `about`."""
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from bench.worker.__main__ import Worker\n"
        "reply = Worker(1).answer({'do': 'about', 'needed': ['numpy_of_nowhere', 'json'], 'packages': []})\n"
        "assert reply['missing'] == ['numpy_of_nowhere'], reply\n"
    )
    environ = clean_environ() | EVERYTHING
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
