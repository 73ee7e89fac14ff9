"""Where things stand in this checkout, and Python files that stand in no package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
BACKENDS = ROOT / "backends"
CONTROLS = ROOT / "bench" / "plan" / "controls"
TESTS = ROOT / "tests"


def load_module(name: str, file: Path) -> ModuleType:
    """Imports a file as the module `name`. If the file raises, removes the module again and passes the exception on."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
