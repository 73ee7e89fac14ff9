"""If these fail, a stray file keeps backends from being measured, or the run does not name it."""

import os
from unittest import mock

from bench.measure.catalogue import catalogue
from bench.paths import BACKENDS
from bench.plan.cases import make_plan
from bench.settings import Settings
from tests.support import LIGHT

RIGHT = (BACKENDS / "numpy_manual.py").read_text()
FILES = {
    "good.py": RIGHT,
    "all.py": RIGHT,
    "twin.py": RIGHT,
    "my-way.py": RIGHT,
    "numpy_manual.py": RIGHT,
    "broken.py": "def f(:\n",
    "crash.py": "import os\nos.abort()\n",
    "utils.py": "x = 1\n",
    "_shared.py": "",
}
STRAYS = {
    "twin_": "twin.py: 'twin' has a meaning of its own in settings or tables; rename the file",
    "all_": "all.py: 'all' has a meaning of its own in settings or tables; rename the file",
    "my_way": "my-way.py: a backend's file name must be a Python identifier; rename it",
    "numpy_manual_": f"numpy_manual.py: a backend named 'numpy_manual' is already in {BACKENDS}/numpy_manual.py; rename one",
    "broken": "broken.py:1: syntax error: invalid syntax; fix it or move the file away",
    "crash": "crash.py: cannot be imported: its process died of SIGABRT; fix the file or move it away",
    "dangling": "dangling.py: cannot be imported: raised FileNotFoundError: [Errno 2] No such file or "
    "directory: 'dangling.py'; fix the file or move it away",
    "utils": "utils.py: has 0 concrete TrainStep classes; a backend's file has exactly one",
}


def test_each_stray_file_in_a_folder_is_an_unavailable_row_and_blocks_no_other(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "dangling.py").symlink_to("/nowhere")
    texts = {"BENCH_PATH": f"{BACKENDS}:{tmp_path}", "BENCH_BACKENDS": "good,utils", "BENCH_DEVICES": "cpu"}
    settings = Settings.from_env(texts)
    with mock.patch.dict(os.environ, LIGHT):
        plan = make_plan(settings, *catalogue(settings))
    assert [case.backend for case in plan.cases] == ["good"]
    assert {hole.case.backend: hole.reason for hole in plan.holes} == {
        name: f"cannot be used: {why}" for name, why in STRAYS.items()
    }
    assert [hole.case.backend for hole in plan.holes if hole.asked_for] == ["utils"]
