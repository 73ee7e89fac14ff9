"""Where things stand in this checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BACKENDS = ROOT / "backends"
CONTROLS = ROOT / "bench" / "plan" / "controls"
TESTS = ROOT / "tests"
