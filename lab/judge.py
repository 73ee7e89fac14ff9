"""What each tool would have said about pairs of the campaign's runs, and how often that was wrong, for each weather.

    python tools/instrument/judge.py [FOLDER] [--learn 10] [--results results] [--page docs/comparing.md]

Writes `instrument.csv`, `instrument.svg` and `campaign.csv` (of the calm runs) into the machine's folder of results, and the
figures into `docs/comparing.md`. A campaign that is not finished is judged as far as it goes. A false alarm is a pair of runs
of identical code in which a tool calls any of the five steps different; a slowdown is found if the tool calls the one step
slower that a slowed one stood in for. No pair is judged by itself or by what came after it, and no run is in two pairs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE)]

import pandas as pd  # noqa: E402
import questions  # noqa: E402
from others import Pyperf, PytestBenchmark  # noqa: E402
from ours import SLOWED, Run  # noqa: E402
from shown import draw, put, told  # noqa: E402

from bench.analyse.comparison import CAMPAIGN  # noqa: E402  # the checkout's, however this file is called

OURS, WITHIN, AGAINST = "stepbench", "stepbench, side by side", "against"
CALM = "calm"
__all__ = ["told"]


def finished(folder: Path) -> list[Path]:
    """The folders of a tool's finished runs under one weather, in the order of their rounds."""
    return sorted(path.parent for path in folder.glob("*/seconds"))


def seconds(folder: Path) -> float:
    return float((folder / "seconds").read_text())


def weathers(top: Path) -> list[str]:
    """Those that have a finished run of any tool, calm first."""
    found = sorted({path.parent.parent.parent.name for path in top.glob("*/*/*/seconds")})
    return sorted(found, key=lambda name: name != CALM)


def load(top: Path) -> dict[str, list[Run]]:
    """Weather → its runs of ours, each read and summarised once: of those on two sides the first."""
    found = {name: [*finished(top / name / OURS), *finished(top / name / AGAINST)] for name in weathers(top)}
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        futures = {name: [pool.submit(Run.of, path, seconds(path)) for path in paths] for name, paths in found.items()}
        runs = {name: [future.result() for future in each] for name, each in futures.items()}
    return {name: sorted(each, key=lambda run: run.name) for name, each in runs.items()}


def rows(top: Path, runs: dict[str, list[Run]], learn: int) -> Iterator[questions.Row]:
    """Every row of `instrument.csv`."""
    calm = runs.get(CALM, [])
    sizes = {name: questions.injected([run for each in runs.values() for run in each], name) for name in SLOWED.values()}
    for weather, mine in runs.items():
        if mine:
            about = {"tool": OURS, "weather": weather, "seconds_per_run": mean(run.seconds for run in mine), "runs": len(mine)}
            yield from (about | row for row in questions.between_runs(mine, calm, weather, learn))
            if weather != CALM:
                yield from (about | row for row in questions.after_calm(mine, calm, learn))
            yield from (about | row for row in questions.spreads(mine))
            yield from (about | {"tool": WITHIN} | row for row in questions.within_runs(mine))
        if both := [Run.of_both_sides(path, seconds(path)) for path in finished(top / weather / AGAINST)]:
            took = mean(run.seconds for run in both)
            about = {"tool": "stepbench, --against", "weather": weather, "seconds_per_run": took, "runs": len(both)}
            yield from (about | row for row in questions.against_itself(both))
        for tool in (PytestBenchmark(), Pyperf()):
            if folders := finished(top / weather / tool.name):
                took = mean(map(seconds, folders))
                about = {"tool": tool.name, "weather": weather, "seconds_per_run": took, "runs": len(folders)}
                yield from (about | row for row in questions.of_other_tools(folders, tool, sizes))


COLUMNS = [
    "tool", "pairs", "slowdown", "injected", "seconds_per_run", "runs", "question", "count", "of", "share", "low", "high",
    "backend", "weather", "learned",
]  # fmt: skip
"""Of `instrument.csv`; some may be added, none is renamed."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Judges a campaign, finished or not.")
    parser.add_argument("folder", nargs="?", default=".campaign", type=Path)
    parser.add_argument(
        "--learn", type=int, default=questions.LEARN, help="earlier runs that a pair needs to be judged by them"
    )
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="where the machine's folder of results is")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "comparing.md", help="the page that shows the figures")
    given = parser.parse_args(arguments)
    runs = load(given.folder)
    if not any(runs.values()):
        sys.exit(f"{given.folder}: holds no finished run of {OURS}; run campaign.py first.")
    table = pd.DataFrame(rows(given.folder, runs, given.learn)).reindex(columns=COLUMNS)
    machines = {run.machine for each in runs.values() for run in each}
    if len(machines) > 1:
        sys.exit(f"{given.folder}: holds runs of several machines, {', '.join(sorted(machines))}; judge each one's by itself.")
    folder = given.results / machines.pop()
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "instrument.csv", index=False)
    if calm := runs.get(CALM):
        kept = pd.concat([run.kept for run in calm], ignore_index=True)
        kept.drop(columns=["replicated", "file", "reason"]).to_csv(folder / CAMPAIGN, index=False)
    draw(table, folder / "instrument.svg")
    put(told(table), given.page)
    print(told(table))


if __name__ == "__main__":
    main()
