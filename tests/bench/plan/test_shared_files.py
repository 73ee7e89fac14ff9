"""Folders may have shared files of the same name: each way gets its own folder's."""

from bench.plan import discovery

WAY = """
from _shared import WHERE
from backends.api import TrainStep


class Way(TrainStep):
    where = WHERE
    __init__ = step = get_state = set_state = lambda *_: None
"""


def test_a_way_imports_the_shared_file_of_its_folder(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "way.py").write_text(WAY)
        (tmp_path / name / "again.py").write_text(WAY)
        (tmp_path / name / "_shared.py").write_text(f"WHERE = {name!r}\n")
    found = [
        discovery.load(tmp_path / name / way).where
        for name, way in (("one", "way.py"), ("two", "way.py"), ("one", "again.py"))
    ]
    assert found == ["one", "two", "one"]
