"""If these fail, a number can be bought: each cheat is refused for what it does, or gains nothing; nobody else is touched.

docs/threats.md tells of each.
"""

import contextlib
import re
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bench.errors import UsageError
from bench.measure import conductor
from bench.measure.catalogue import catalogue
from bench.plan.cases import make_plan
from bench.settings import Settings
from tests.support import LIGHT

pytestmark = pytest.mark.alone  # the rules of the audit allow for what busy neighbours do to a step
CHEATS = Path(__file__).parents[1] / "cheats"
NAMES = sorted(path.stem for path in CHEATS.glob("[a-z]*.py"))


@pytest.fixture(autouse=True, scope="module")
def light():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", LIGHT["PYTHONPATH"])
        yield


def _measured(*names):
    """The records of a run of these beside an honest backend, long enough for every rule of the audit; no sandbox helps it."""
    settings = replace(Settings.from_env({}), path=(CHEATS,), backends=("numpy_manual", *names), devices=("cpu",))
    settings = replace(settings, processes=2, blocks=10, sandbox="off")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STEPBENCH_TEST", "cheats")
        plan = make_plan(settings, *catalogue(settings))
        return list(conductor.measure(plan))


@pytest.fixture(scope="module")
def records():
    return _measured(*NAMES)


def _refused(name, records):
    mine = [record for record in records if record.get("case", "").startswith(f"{name}-")]
    assert mine
    return [record["reason"] for record in mine if record["record"] == "failure"]


@pytest.mark.parametrize("name", NAMES)
def test_a_cheat_gets_no_number_that_is_not_its_own(name, records):
    text = (CHEATS / f"{name}.py").read_text()
    says = re.search(r'^CAUGHT = (?:r"(.*)"|None)$', text, re.MULTILINE)[1]
    refused = _refused(name, records)
    if not refused and "\nNEAR = True" in text:
        refused = _refused(name, _measured(name))
    if says is None:
        assert not refused or "\nAT_TIMES = True" in text
    else:
        assert refused, "it got a number"
        assert re.search(says, refused[0]), refused[0]


def test_nobody_else_is_touched(records):
    others = [record for record in records if record["record"] == "failure" and not record["case"].startswith(tuple(NAMES))]
    assert not others
    visited = {record["case"].partition("-")[0] for record in records if record["record"] == "visit"}
    assert visited >= {"numpy_manual", "twin", "null", "step_by_hand"}
    assert records[-1]["record"] == "end"
    honest = [each for each in records if each["record"] == "visit" and each["case"].startswith("numpy_manual-")]
    assert min(each["throughput_seconds"] / each["steps"] for each in honest) < 0.01, "what slows_rivals makes each step take"


def test_no_child_is_left(records):
    for process in psutil.process_iter():  # by its environment: an orphan has another parent
        with contextlib.suppress(psutil.Error):
            assert process.environ().get("STEPBENCH_TEST") != "cheats", process


WRITES = """
import os

from backends.numpy_manual import NumpyManual


class Writes(NumpyManual):
    def step(self):
        with open(os.path.join(os.path.dirname(__file__), "written"), "w"):
            return super().step()
"""


@pytest.mark.parametrize("closed", [True, False])
def test_foreign_code_is_closed_to_all_but_a_folder_of_its_own_unless_asked_not_to(closed, tmp_path):
    (tmp_path / "writes.py").write_text(WRITES)
    settings = replace(Settings.from_env({}), path=(tmp_path,), backends=("writes",), devices=("cpu",))
    plan = make_plan(settings, *catalogue(settings))
    (proof,) = conductor.prove(replace(plan, settings=replace(settings, sandbox="foreign" if closed else "off"))).values()
    if proof.get("unclosed"):
        pytest.skip(f"this kernel cannot close {'; '.join(proof['unclosed'])}")
    assert (proof["record"], (tmp_path / "written").exists()) == (("failure", False) if closed else ("open", True))


@pytest.mark.parametrize("kind", ["ceiling", "peak", "overhead", "twin"])
def test_what_others_are_measured_by_is_never_foreign(kind, tmp_path):
    """A ceiling of its own would make every honest row look slow, or a cheat's look possible; a twin, the run unproven."""
    peak = f"from backends.api import Control\n\n\nclass Peak(Control):\n    kind = {kind!r}\n    step = None\n"
    (tmp_path / "peak.py").write_text(peak)
    with pytest.raises(UsageError, match=f"kind is '{kind}', by which others are measured"):
        catalogue(replace(Settings.from_env({}), path=(tmp_path,)))


SAYS = """
import json

from backends.api import Control

encode = json._default_encoder.encode


class Says(Control):
    step = None
    kind = "rung"


def said(reply):
    if "facts" in reply:
        reply = reply | {{"facts": {said}}}
    return encode(reply)


json._default_encoder.encode = said
"""


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("reply['facts'] | {'steps_per_call': 0}", "description.steps_per_call is 0, expected a whole number from 1 to 10"),
        ("reply['facts'] | {'steps_per_call': 100}", "description.steps_per_call is 100"),
        ("reply['facts'] | {'steps_per_call': 0.5}", "description.steps_per_call is 0.5"),
        ("reply['facts'] | {'dtypes': [5]}", r"description.dtypes\[0\] is 5, expected a text"),
        ("{'kind': 'rung'}", "description.source is missing"),
        ("None", "description is None, expected an object"),
    ],
)
def test_a_description_that_nobody_could_use_is_its_files_fault(said, says, tmp_path):
    (tmp_path / "says.py").write_text(SAYS.format(said=said))
    with pytest.raises(UsageError, match=f"says.py: its {says}.*; mend it or move it away"):
        catalogue(replace(Settings.from_env({}), path=(tmp_path,)))


def test_a_description_cannot_name_another_file(tmp_path):
    said = "reply['facts'] | {'name': 'numpy', 'path': '/null.py', 'foreign': False}"
    (tmp_path / "says.py").write_text(SAYS.format(said=said))
    ((side,), _) = catalogue(replace(Settings.from_env({}), path=(tmp_path,)))
    told = side.backends["says"]
    assert (told.name, told.path, told.foreign) == ("says", str(tmp_path / "says.py"), True)
