"""What two other tools say about two runs, by the commands that their users call."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ours import TARGET, Said
from steps import SEED

from bench.analyse.verdicts import FASTER, SLOWER


class PytestBenchmark:
    """`--benchmark-compare-fail=mean:5%`."""

    name = "pytest_benchmark"

    def __init__(self) -> None:
        self.means: dict[Path, dict[str, float]] = {}

    def say(self, base: Path, head: Path, stand_in: str | None) -> Said | None:
        before, after = self.of(base), self.of(head)
        if stand_in:
            after = after | {TARGET: after[stand_in]}
        return {name: SLOWER for name in SEED if after[name] > 1.05 * before[name]}

    def of(self, folder: Path) -> dict[str, float]:
        """Step → mean seconds, as the tool reports it."""
        if folder not in self.means:
            report = json.loads((folder / "run.json").read_text())
            self.means[folder] = {one["params"]["name"]: one["stats"]["mean"] for one in report["benchmarks"]}
        return self.means[folder]


class Pyperf:
    """`pyperf compare_to`, which says whether a difference is significant."""

    name = "pyperf"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp())

    def say(self, base: Path, head: Path, stand_in: str | None) -> Said | None:
        files = [self.only(base / "run.json", None), self.only(head / "run.json", stand_in)]
        if not all(files):
            return None  # only one slowed step was measured: a run takes long
        command = [sys.executable, "-m", "pyperf", "compare_to", "--table", *map(str, files)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        cells = [[cell.strip() for cell in line.split("|")] for line in printed.splitlines() if line.startswith("|")]
        verdict = {"slower": SLOWER, "faster": FASTER}
        return {row[1]: verdict[row[-2].rpartition(" ")[2]] for row in cells if row[1] in SEED and "x " in row[-2]}

    def only(self, file: Path, stand_in: str | None) -> Path | None:
        """The run with the five steps alone, as pyperf's own file."""
        suite = json.loads(file.read_text())
        named = {one["metadata"]["name"]: one for one in suite["benchmarks"]}
        if stand_in and stand_in not in named:
            return None
        chosen = {name: named[stand_in if stand_in and name == TARGET else name] for name in SEED}
        suite["benchmarks"] = [one | {"metadata": one["metadata"] | {"name": name}} for name, one in chosen.items()]
        target = self.folder / f"{file.parent.parent.parent.name}-{file.parent.name}-{stand_in}.json"
        target.write_text(json.dumps(suite))
        return target
