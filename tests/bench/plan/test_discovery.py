"""If these fail, a broken backend file is skipped silently, or a sound one is not found."""

import json
import re
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.paths import BACKENDS
from bench.plan import discovery
from bench.plan.sides import Backend

SOUND = """
import numpy as np
from backends.api import Problem, TrainStep

class Mine(TrainStep):
    kind = "seed"
    def __init__(self, problem, device, dtype): pass
    def step(self): return 0.0
    def get_state(self): return None
    def set_state(self, *state): pass
"""


def _file(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


def test_every_file_but_the_contract_and_shared_ones_is_a_backend():
    names = {path.name for path in BACKENDS.glob("[!_]*.py")}
    assert {path.name for path in discovery.files([BACKENDS])} == names - {"api.py", "problem.py", "mistakes.py"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def step(:\n", r"mine\.py:1: syntax error"),
        (SOUND + SOUND.replace("Mine", "Other"), r"mine\.py: has 2 concrete TrainStep classes: Mine, Other"),
    ],
)
def test_a_file_that_is_no_backend_is_named(tmp_path, text, says):
    with pytest.raises(UsageError, match=says):
        discovery.load(_file(tmp_path, text))


def test_the_source_holds_the_step_that_is_run():
    """Its own in most files; of a file that inherits its step both, its own first."""
    own = BACKENDS / "numpy_manual.py"
    assert discovery.describe(own, ["cpu"])["source"] == own.read_text()
    pytest.importorskip("torch")
    heir = discovery.describe(BACKENDS / "torch_module_fused.py", ["cpu"])["source"]
    assert heir.startswith((BACKENDS / "torch_module_fused.py").read_text())
    assert heir.endswith((BACKENDS / "torch_module.py").read_text())


def test_a_missing_library_makes_a_backend_unavailable_and_keeps_its_kind(tmp_path):
    path = _file(tmp_path, "import no_such_library\n" + SOUND)
    with pytest.raises(discovery.MissingLibrary, match="no_such_library"):
        discovery.load(path)
    facts = discovery.describe(path, ["cpu"])
    assert (facts["unusable"][:33], facts["kind"]) == ("needs the library no_such_library", "seed")


@pytest.mark.parametrize(
    "line",
    ["from backends._torhc import TorchStep", "from backends.api import Trainstep", "import numpy.lineralg", "import _shared"],
)
def test_an_import_error_inside_our_own_code_raises(tmp_path, line):
    with pytest.raises(ImportError):
        discovery.load(_file(tmp_path, line + SOUND))


def test_folders_may_have_shared_files_of_the_same_name_and_each_way_gets_its_own(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "_shared.py").write_text(f"WHERE = {name!r}\n")
        for way in ("way", "again"):
            _file(
                tmp_path / name,
                "from _shared import WHERE\n" + SOUND.replace("(TrainStep):", "(TrainStep):\n    where = WHERE"),
                way,
            )
    order = [("one", "way.py"), ("two", "way.py"), ("one", "again.py")]
    assert [discovery.load(tmp_path / name / way).where for name, way in order] == ["one", "two", "one"]


def test_the_hash_follows_the_code_of_the_family():
    path = BACKENDS / "torch_manual.py"
    texts = [file.read_text() for file in (path, BACKENDS / "_torch.py")]
    assert discovery.describe(path, [])["hash"] == discovery.hash_of(*texts)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"steps_per_call": 0.5}, "its description.steps_per_call is 0.5, expected a whole number from 1 to 10; fix"),
        ({"dtypes": [1]}, "its description.dtypes[0] is 1, expected a text; fix"),
        ({"work": {"cpu": {"float32": [1]}}}, "its description.work.cpu.float32 is [1], expected operations and bytes; fix"),
        ({"kind": "peak"}, "kind is 'peak', that of a control; a way of writing the step needs another"),
    ],
)
def test_a_description_is_checked_and_its_file_is_named(change, says, tmp_path):
    path = _file(tmp_path, SOUND)
    facts = json.loads(json.dumps(discovery.describe(path, ["cpu"])))
    backend = Backend.from_json(facts | {"name": "theirs"}, path)
    assert (backend.name, [*backend.versions]) == ("mine", ["numpy"])
    assert backend.why_not == {"cpu": {"float32": None, "float64": None}}
    with pytest.raises(UsageError, match=re.escape(f"{path}: {says}")):
        Backend.from_json(facts | change, path)
