"""Collects the campaign: identical code, measured again and again by three tools that take turns under the same weather.

    python tools/instrument/campaign.py [FOLDER] [RUNS]

Every run also holds steps that are slower by a known share (`slowed/`), for the tools to find. It takes under two hours
and may be stopped and started again: what is finished is kept, and only what is missing is measured.
`judge.py` tells what each tool would have said.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RUNS = 40
PYPERF_EVERY = 5
"""A pyperf run takes four minutes; the others take their turn more often."""
ONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def stepbench(folder: Path) -> list[str]:
    return ["-m", "bench", "run"]


def pytest_benchmark(folder: Path) -> list[str]:
    return ["-m", "pytest", "tools/instrument/plain_suite.py", "--benchmark-only", f"--benchmark-json={folder}/run.json"]


def pyperf(folder: Path) -> list[str]:
    keep = ",".join(["PYTHONPATH", *ONE])
    return ["tools/instrument/plain_pyperf.py", "--quiet", f"--inherit-environ={keep}", "--output", f"{folder}/run.json"]


def collect(top: Path, runs: int) -> None:
    for number in range(runs):
        for tool in (stepbench, pytest_benchmark, *([pyperf] if number % PYPERF_EVERY == 0 else [])):
            folder = top / tool.__name__ / f"{number:03}"
            if (folder / "seconds").exists():
                continue
            measure(tool(folder), folder)


def measure(command: list[str], folder: Path) -> None:
    """Runs one tool once; the file `seconds` says how long it took, and that it is finished."""
    shutil.rmtree(folder, ignore_errors=True)  # what an interrupted run left
    folder.mkdir(parents=True)
    settings = {"BENCH_DEVICES": "cpu", "BENCH_BACKENDS": "seed,slowed", "BENCH_PATH": str(HERE / "slowed")}
    ours = "bench" in command
    own = {name: value for name, value in os.environ.items() if not name.startswith("BENCH_")}
    env = own | {"PYTHONPATH": str(ROOT)} | (settings | {"BENCH_RESULTS": str(folder)} if ours else ONE)
    start = time.monotonic()
    with (folder / "output").open("w") as output:
        code = subprocess.run([sys.executable, *command], cwd=ROOT, env=env, stdout=output, stderr=output).returncode
    took = time.monotonic() - start
    if code:
        sys.exit(f"{folder}: `python {' '.join(command)}` failed with exit code {code}; {folder / 'output'} says why.")
    (folder / "seconds").write_text(f"{took}\n")
    print(f"{folder.parent.name} {folder.name}: {took:.0f} s", flush=True)


if __name__ == "__main__":
    collect(Path(sys.argv[1] if len(sys.argv) > 1 else ".campaign").resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else RUNS)
