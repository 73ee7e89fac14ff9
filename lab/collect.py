"""Measures unchanged code again and again under each weather, for `lab.judge`.

    python -m lab.collect [FOLDER] [--rounds 20] [--weathers calm burst] [--kinds run against]

A run of kind `run` measures the seed steps and copies of `torch_manual` slowed by 1, 2 and 5 %
(`lab/slowed/`); one of kind `against` measures the seed steps against the same code at HEAD.
Weathers take turns in an order drawn for each round. Stop and restart it at will: finished runs
are kept. A run that was not disturbed as planned is discarded.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import median

from bench.conversation import end_with_parent
from bench.errors import UsageError
from bench.paths import ROOT
from bench.record import journal
from lab.weather import KINDS as WEATHERS
from lab.weather import RUN_SECONDS, neighbours, weather

FOLDER = ".lab"
RECORD = "lab.json"
"""Of a finished run: its weather, seconds, exit code and neighbours. It is written last."""


@dataclass(frozen=True)
class Kind:
    """A kind of run: what it measures, and under which weathers."""

    arguments: tuple[str, ...]
    backends: str
    weathers: tuple[str, ...] = tuple(WEATHERS)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "bench", "run", *self.arguments]


KINDS = {
    "run": Kind((), "seed,slowed"),
    "against": Kind(("--against", "HEAD"), "seed", ("calm", "burst")),
}


def turns(rounds: int, weathers: Sequence[str], kinds: Sequence[str]) -> list[tuple[int, str, str]]:
    """Round, weather and kind of every run, in the order of measurement."""
    orders = [Random(f"round {number}").sample(weathers, len(weathers)) for number in range(rounds)]
    return [
        (number, name, kind)
        for number, order in enumerate(orders)
        for name in order
        for kind in kinds
        if name in KINDS[kind].weathers
    ]


def collect(top: Path, rounds: int, weathers: Sequence[str], kinds: Sequence[str]) -> None:
    for number, name, kind in turns(rounds, weathers, kinds):
        folder = top / name / kind / f"{number:03}"
        if not (folder / RECORD).exists():
            usual = usual_seconds(top, kind)
            measure(KINDS[kind].command, KINDS[kind].backends, folder, name, number, usual)


def usual_seconds(top: Path, kind: str) -> float:
    """The median length of the finished runs of a kind, which `half` and `slow_process` need."""
    files = top.glob(f"*/{kind}/*/{RECORD}")
    return median(
        [float(json.loads(file.read_text())["seconds"]) for file in files] or [RUN_SECONDS]
    )


def measure(
    command: Sequence[str], backends: str, folder: Path, name: str, seed: int, usual: float
) -> None:
    """Runs a command once under a weather and records it; ends the program if the run failed."""
    shutil.rmtree(folder, ignore_errors=True)  # left by an interrupted run
    folder.mkdir(parents=True)
    own = {key: value for key, value in os.environ.items() if not key.startswith("BENCH_")}
    settings = {"BENCH_DEVICES": "cpu", "BENCH_BACKENDS": backends, "BENCH_RESULTS": str(folder)}
    env = own | settings | {"BENCH_PATH": str(ROOT / "lab" / "slowed")}
    with weather(name, seed, usual) as record, (folder / "output").open("w") as output:
        start = time.monotonic()
        code = subprocess.run(
            command, cwd=ROOT, env=env, stdout=output, stderr=output,
            preexec_fn=end_with_parent,  # an orphan would disturb later runs
        ).returncode  # fmt: skip
        seconds = time.monotonic() - start
    if code and not is_complete(folder):
        sys.exit(f"{folder}: the run failed with exit code {code}; read {folder / 'output'}.")
    facts = {"weather": name, "seconds": seconds, "exit_code": code, **asdict(record)}
    (folder / RECORD).write_text(json.dumps(facts) + "\n")
    print(f"{name} {folder.parent.name} {folder.name}: {seconds:.0f} s", flush=True)


def is_complete(folder: Path) -> bool:
    """Whether a run reached its end, even if it rejected a step or called itself UNPROVEN."""
    with suppress(UsageError):
        return any(journal.read(file).complete for file in folder.rglob(journal.NAME))
    return False


def possible(weathers: Sequence[str]) -> list[str]:
    """The weathers that this machine has enough CPUs for; prints which are left out."""
    fitting = []
    for name in weathers:
        try:
            neighbours(name, 0, RUN_SECONDS)
            fitting.append(name)
        except UsageError as error:
            print(error, file=sys.stderr)
    return fitting


def main() -> None:
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser("lab.collect", description=about)
    parser.add_argument("folder", nargs="?", default=FOLDER, type=Path)
    parser.add_argument("--rounds", type=int, default=20, help="runs per kind and weather")
    parser.add_argument("--weathers", nargs="+", choices=WEATHERS, default=[*WEATHERS])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    given = parser.parse_args()
    collect(given.folder.resolve(), given.rounds, possible(given.weathers), given.kinds)


if __name__ == "__main__":
    main()
