"""If these fail, minutes on a borrowed GPU are lost to the first part that fails."""

import subprocess
import tarfile
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "tools" / "gpu.sh"
PYTHON = '#!/bin/sh\necho "$@"\ncase "$*" in *contract*) exec sleep 60;; *--shapes*) exit 1;; esac\n'


def test_a_part_that_fails_or_hangs_is_named_and_does_not_stop_the_others(tmp_path):
    python, script = tmp_path / "python", tmp_path / "checkout" / "tools" / "gpu.sh"
    python.write_text(PYTHON)
    python.chmod(0o755)
    script.parent.mkdir(parents=True)
    (tmp_path / "checkout" / "examples" / "one").mkdir(parents=True)
    script.write_text(SCRIPT.read_text().replace("part contract 120", "part contract 1"))
    ran = subprocess.run(["sh", script, tmp_path / "out"], env={"PYTHON": python, "PATH": "/usr/bin:/bin"})
    failed = (tmp_path / "out" / "failed").read_text().splitlines()
    assert [line.split(",")[0] for line in failed] == ["contract: exit code 124", "sweep: exit code 1"]
    with tarfile.open(tmp_path / "out.tar.gz") as archive:
        logs = {Path(name).stem for name in archive.getnames() if name.endswith(".log")}
    assert logs == {"nvidia-smi", "contract", "ways", "sweep", "one"}
    assert ran.returncode == 1
