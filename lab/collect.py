"""Collects the campaign: identical code, measured again and again by three tools that take turns under weather that is made.

    python tools/instrument/campaign.py [FOLDER] [--runs 40] [--weathers calm,burst] [--tools stepbench]

Every run also holds steps that are slower by a known share (`slowed/`), for the tools to find; `BENCH_BACKENDS=seed` leaves
them out, for twice as many runs in the same time. Weathers take turns in an order that chance chooses for each round, so no
hour of the day belongs to one of them. It takes hours and may be stopped and started again: what is finished is kept, only what
is missing is measured, and `judge.py` judges whatever is there. A run that was not disturbed as its folder says is never kept.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import median

from weather import KINDS, neighbours, weather  # which also finds the checkout

from bench.conversation import end_with_parent
from bench.errors import UsageError
from bench.record import journal

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUNS = 40
ONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
BACKENDS = "BENCH_BACKENDS"
OURS = {"BENCH_DEVICES": "cpu", BACKENDS: "seed,slowed", "BENCH_PATH": str(HERE / "slowed")}
FINISHED, WEATHER = "seconds", "weather.json"
"""Of a run's folder: how long it took, which says that it is finished; and who disturbed it."""


def stepbench(folder: Path) -> list[str]:
    return ["-m", "bench", "run"]


def against(folder: Path) -> list[str]:
    return ["-m", "bench", "run", "--against", "HEAD"]


def pytest_benchmark(folder: Path) -> list[str]:
    return ["-m", "pytest", "tools/instrument/plain_suite.py", "--benchmark-only", f"--benchmark-json={folder}/run.json"]


def pyperf(folder: Path) -> list[str]:
    keep = ",".join(["PYTHONPATH", *ONE])
    return ["tools/instrument/plain_pyperf.py", "--quiet", f"--inherit-environ={keep}", "--output", f"{folder}/run.json"]


@dataclass(frozen=True)
class Tool:
    """What starts it, the seconds that it took where this was written, in which rounds it has a turn, under which weathers."""

    command: Callable[[Path], list[str]]
    seconds: float
    every: int = 1
    weathers: tuple[str, ...] = tuple(KINDS)


TOOLS = {
    "stepbench": Tool(stepbench, 80),
    "against": Tool(against, 90, weathers=("calm", "burst")),
    "pytest_benchmark": Tool(pytest_benchmark, 11),
    "pyperf": Tool(pyperf, 250, every=5, weathers=("calm", "burst")),  # minutes a run: the others have their turn more often
}


def turns(runs: int, weathers: Sequence[str], tools: Sequence[str]) -> list[tuple[int, str, str]]:
    """Round, weather and tool of every run, in the order in which they are measured."""
    rounds = [(number, Random(f"round {number}").sample(weathers, len(weathers))) for number in range(runs)]
    return [
        (number, name, tool)
        for number, order in rounds
        for name in order
        for tool in tools
        if number % TOOLS[tool].every == 0 and name in TOOLS[tool].weathers
    ]


def collect(top: Path, runs: int, weathers: Sequence[str], tools: Sequence[str]) -> None:
    for number, name, tool in turns(runs, weathers, tools):
        folder = top / name / tool / f"{number:03}"
        if not (folder / FINISHED).exists():
            measure(TOOLS[tool].command(folder), folder, name, number, usual_seconds(top, tool))


def usual_seconds(top: Path, tool: str) -> float:
    """What a run of a tool takes here, as far as is known: half of it is half a run."""
    return median([float(file.read_text()) for file in top.glob(f"*/{tool}/*/{FINISHED}")] or [TOOLS[tool].seconds])


def measure(command: list[str], folder: Path, name: str, seed: int, usual: float) -> None:
    """Runs one tool once, under that weather."""
    shutil.rmtree(folder, ignore_errors=True)  # what an interrupted run left
    folder.mkdir(parents=True)
    own = {variable: value for variable, value in os.environ.items() if not variable.startswith("BENCH_")}
    ours = OURS | {"BENCH_RESULTS": str(folder), BACKENDS: os.environ.get(BACKENDS) or OURS[BACKENDS]}
    env = own | {"PYTHONPATH": str(ROOT)} | (ours if "bench" in command else ONE)
    with weather(name, seed, usual) as record, (folder / "output").open("w") as output:
        start = time.monotonic()
        code = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=env, stdout=output, stderr=output,
            preexec_fn=end_with_parent,  # or it would disturb the campaign that is started next
        ).returncode  # fmt: skip
        took = time.monotonic() - start
    if code and not complete(folder):
        sys.exit(f"{folder}: `python {' '.join(command)}` failed with exit code {code}; {folder / 'output'} says why.")
    (folder / WEATHER).write_text(json.dumps({"weather": name, "exit_code": code, **asdict(record)}) + "\n")
    (folder / FINISHED).write_text(f"{took}\n")
    print(f"{name} {folder.parent.name} {folder.name}: {took:.0f} s", flush=True)


def complete(folder: Path) -> bool:
    """Whether a run of ours went to its end; it may have found a step wrong or itself unproven, which is for the judge."""
    with suppress(UsageError):
        return any(journal.read(file).complete for file in folder.rglob(journal.NAME))
    return False


def possible(weathers: Sequence[str]) -> list[str]:
    """Those that this machine has room for; what is left out is said. Raises `UsageError` for an unknown one."""
    if strange := [name for name in weathers if name not in KINDS]:
        neighbours(strange[0], 0, 1)
    fitting = []
    for name in weathers:
        try:
            neighbours(name, 0, 1)
        except UsageError as error:
            print(error, file=sys.stderr)
        else:
            fitting.append(name)
    return fitting


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures identical code again and again, under weather that is made.")
    parser.add_argument("folder", nargs="?", default=".campaign", type=Path)
    parser.add_argument("--runs", type=int, default=RUNS, help="of each tool under each weather")
    parser.add_argument("--weathers", type=lambda text: text.split(","), default=[*KINDS], help=", ".join(KINDS))
    parser.add_argument("--tools", type=lambda text: text.split(","), default=[*TOOLS], help=", ".join(TOOLS))
    given = parser.parse_args()
    if strange := [name for name in given.tools if name not in TOOLS]:
        parser.error(f"unknown tool {strange[0]!r}; known: {', '.join(TOOLS)}.")
    try:
        collect(given.folder.resolve(), given.runs, possible(given.weathers), given.tools)
    except UsageError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
