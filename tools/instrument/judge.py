"""What each tool would have said about every pair of the campaign's runs, and how often that was wrong.

    python tools/instrument/judge.py [FOLDER]

Writes `instrument.csv`, `instrument.svg` and `campaign.csv` into the machine's folder of results, and the figures into
`docs/comparing.md`. A false alarm is a pair of runs of identical code in which a tool calls any of the five steps different;
a slowdown is found if the tool calls the one step slower that a slowed one stood in for. No run is judged with itself as
part of its campaign.
"""

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import numpy as np
import pandas as pd
from scipy.stats import binomtest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from steps import SEED  # noqa: E402

from bench.analyse import summaries  # noqa: E402  # the checkout's, however this file is called
from bench.analyse.between_runs import QUIET  # noqa: E402
from bench.analyse.comparison import CAMPAIGN, judge  # noqa: E402
from bench.analyse.estimates import log_blocks  # noqa: E402
from bench.analyse.validation import COLUMNS  # noqa: E402
from bench.analyse.verdicts import FASTER, SLOWER, Estimate, verdicts  # noqa: E402
from bench.record.frame import samples  # noqa: E402
from bench.record.journal import read  # noqa: E402
from bench.schema.case import Case  # noqa: E402

TARGET, SLOWED = "torch_manual", {0.01: "slowed_1", 0.02: "slowed_2", 0.03: "slowed_3", 0.05: "slowed_5"}
ALARMS = (FASTER, SLOWER)
Said = dict[str, str]
"""Step → what a tool calls it; nothing for a step that it does not call different."""


def pairs(rounds: list[Path]) -> Iterator[tuple[int, int, bool]]:
    """Every pair of runs once, and whether they are neighbours: from one round of the tools and the next."""
    numbers = [int(path.name) for path in rounds]
    return ((a, b, numbers[b] == numbers[a] + 1) for a, b in itertools.combinations(range(len(numbers)), 2))


class Stepbench:
    name = "stepbench"

    def __init__(self, top: Path) -> None:
        self.rounds = finished(top / self.name)
        self.stories = [read(next(path.rglob("journal.jsonl"))) for path in self.rounds]
        if cut := [story.path for story in self.stories if not story.complete]:
            sys.exit(f"{cut[0]}: was cut off; remove its folder and run campaign.py again.")
        tables = [summaries.summarise(story) for story in self.stories]
        self.tables = [table.reindex(columns=COLUMNS).assign(replicated=True) for table in tables]
        self.campaign = self.without(pd.concat(self.tables, ignore_index=True), None)

    def without(self, table: pd.DataFrame, stand_in: str | None) -> pd.DataFrame:
        """A run's table without the slowed steps, one of which may stand in for the target."""
        if stand_in:
            table = table[table["backend"] != TARGET]
            table = table.assign(backend=table["backend"].replace(stand_in, TARGET))
        return table[(table["kind"] != "slowed") | (table["backend"] == TARGET)]

    def say(self, a: int, b: int, stand_in: str | None) -> Said:
        found = judge(self.without(self.tables[a], None), self.without(self.tables[b], stand_in), self.campaign)
        said = dict(zip(found.table["backend"], found.table["verdict"], strict=True))
        return {name: verdict for name, verdict in said.items() if verdict in ALARMS}


    def scaled(self, slowdown: float) -> Iterator[dict[str, object]]:
        """How often neighbouring runs find one step slower whose recorded times are multiplied: each step, an exact share."""
        for step in SEED:
            found = []
            for a, b, near in pairs(self.rounds):
                if near:
                    head = self.without(self.tables[b], None)
                    times = head[QUIET].where(head["backend"] != step, lambda t: t * (1 + slowdown))
                    judged = judge(self.without(self.tables[a], None), head.assign(**{QUIET: times}), self.campaign)
                    found.append(bool(judged.table.set_index("backend").at[step, "verdict"] == SLOWER))
            about = {"tool": self.name, "backend": step, "slowdown": slowdown, "injected": slowdown}
            yield about | counted("slowdown found, recorded times multiplied", found)


class WithinRun:
    """Two sides in one run, block by block: the slowed step beside its original, the twin beside its baseline."""

    name = "stepbench, side by side"

    def __init__(self, ours: Stepbench) -> None:
        blocks = (log_blocks(samples(story)) for story in ours.stories)
        self.logs = [logs.rename(columns=lambda key: Case.parse(key).name) for logs in blocks]

    def say(self, run: int, stand_in: str | None) -> Said:
        base, head = (TARGET, stand_in) if stand_in else ("numpy_manual", "twin")
        ((verdict, _),) = verdicts([Estimate.of(self.ratios(run, base, head))])
        return {TARGET: verdict} if verdict in ALARMS else {}

    def injected(self, stand_in: str) -> float:
        return float(np.expm1(mean(self.ratios(run, TARGET, stand_in).mean() for run in range(len(self.logs)))))

    def ratios(self, run: int, base: str, head: str) -> np.ndarray:
        """Log ratios, one value per process."""
        return (self.logs[run][head] - self.logs[run][base]).dropna().groupby("pass").median().to_numpy()


class PytestBenchmark:
    """`--benchmark-compare-fail=mean:5%`."""

    name = "pytest_benchmark"

    def __init__(self, top: Path) -> None:
        self.rounds = finished(top / self.name)
        reports = [json.loads((path / "run.json").read_text()) for path in self.rounds]
        self.means = [{one["params"]["name"]: one["stats"]["mean"] for one in report["benchmarks"]} for report in reports]

    def say(self, a: int, b: int, stand_in: str | None) -> Said:
        head = self.means[b] | ({TARGET: self.means[b][stand_in]} if stand_in else {})
        return {name: SLOWER for name in SEED if head[name] > 1.05 * self.means[a][name]}


class Pyperf:
    """`pyperf compare_to`, which says whether a difference is significant."""

    name = "pyperf"

    def __init__(self, top: Path) -> None:
        self.rounds = finished(top / self.name)
        self.folder = Path(tempfile.mkdtemp())

    def say(self, a: int, b: int, stand_in: str | None) -> Said | None:
        files = [self.only(self.rounds[a] / "run.json", None), self.only(self.rounds[b] / "run.json", stand_in)]
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
        target = self.folder / f"{file.parent.name}-{stand_in}.json"
        target.write_text(json.dumps(suite))
        return target


def finished(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/seconds"))


def rows(top: Path, ours: Stepbench, injected: dict[str, float]) -> Iterator[dict[str, object]]:
    tools: tuple[Stepbench | PytestBenchmark | Pyperf, ...] = (ours, PytestBenchmark(top), Pyperf(top))
    for tool in tools:
        took = mean(float((path / "seconds").read_text()) for path in tool.rounds)
        for slowdown, stand_in in {0.0: None, **SLOWED}.items():
            answers = [(near, tool.say(a, b, stand_in)) for a, b, near in pairs(tool.rounds)]
            said = [(near, one) for near, one in answers if one is not None]
            if len(said) < len(answers):
                continue
            for which in ("all", "neighbouring"):
                chosen = [one for near, one in said if near or which == "all"]
                if not chosen:
                    continue
                share = injected[stand_in] if stand_in else 0.0
                about = {"tool": tool.name, "pairs": which, "slowdown": slowdown, "injected": share}
                about |= {"seconds_per_run": took, "runs": len(tool.rounds)}
                if stand_in:
                    yield about | counted("slowdown found", [one.get(TARGET) == SLOWER for one in chosen])
                    yield about | counted("others accused", [bool({*one} - {TARGET}) for one in chosen])
                else:
                    yield about | counted("false alarm in a comparison", [bool(one) for one in chosen])
                    yield about | counted("false alarm in a row", [name in one for one in chosen for name in SEED])


def side_by_side(within: WithinRun, injected: dict[str, float]) -> Iterator[dict[str, object]]:
    runs = range(len(within.logs))
    about = {"tool": within.name, "pairs": "within a run"}
    alarms = counted("false alarm in a row", [bool(within.say(run, None)) for run in runs])
    yield about | {"slowdown": 0.0, "injected": 0.0} | alarms
    for slowdown, stand_in in SLOWED.items():
        found = [within.say(run, stand_in).get(TARGET) == SLOWER for run in runs]
        yield about | {"slowdown": slowdown, "injected": injected[stand_in]} | counted("slowdown found", found)


def counted(question: str, answers: list[bool]) -> dict[str, object]:
    """Share of yes with its Wilson 95 % interval, which takes answers for independent; those of all pairs are not."""
    low, high = binomtest(sum(answers), len(answers)).proportion_ci(method="wilson")
    return {"question": question, "count": sum(answers), "of": len(answers), "share": mean(answers), "low": low, "high": high}


def spreads(ours: Stepbench) -> Iterator[dict[str, object]]:
    """Standard deviations between runs of a step's time: raw, relative to each yardstick alone, and to the mix."""
    times = {
        column: pd.DataFrame([table.set_index("backend")[column].map(np.log) for table in ours.tables])
        for column in ("seconds_per_step", QUIET)
    }
    weights = pd.DataFrame([table.set_index("backend")["yardsticks"] for table in ours.tables])
    quick = times[QUIET]
    for step in SEED:
        shares = pd.DataFrame([dict(part.split(":") for part in text.split()) for text in weights[step]]).astype(float).mean()
        ways = {"raw, median": times["seconds_per_step"][step], "raw, quiet": quick[step]}
        ways |= {f"relative to {name}": quick[step] - quick[name] for name in shares.index}
        ways["relative to the mix"] = quick[step] - quick[shares.index] @ shares
        for way, logs in ways.items():
            question = f"spread between runs, {way}"
            yield {"tool": ours.name, "question": question, "backend": step, "of": len(logs), "share": logs.std()}


def told(table: pd.DataFrame) -> str:
    """The campaign in Markdown, for the page between `<!-- instrument -->` and `<!-- end of instrument -->`."""
    injected = table.loc[table["question"] == "slowdown found", ["slowdown", "injected"]].drop_duplicates()
    head = [f"{share:.1%} slower" for share in injected["injected"]]
    lines = [
        f"| tool | a run | runs | false alarms, all pairs | neighbouring pairs | {' | '.join(head)} |",
        f"|---|---:|---:|---:|---:|{'---:|' * len(head)}",
    ]
    for tool, rows in table[table["pairs"].notna()].groupby("tool", sort=False):
        within = "within a run" in set(rows["pairs"])
        pairs = "within a run" if within else "all"
        alarms = rows[rows["question"] == ("false alarm in a row" if within else "false alarm in a comparison")]
        by_pairs = alarms.set_index("pairs")
        found = rows[(rows["question"] == "slowdown found") & (rows["pairs"] == pairs)].set_index("slowdown")["share"]
        seconds = rows["seconds_per_run"].iloc[0]
        cells = [
            str(tool).replace("_", "-"),
            "the same" if within else f"{seconds:.0f} s",
            f"{alarms['of' if within else 'runs'].iloc[0]:.0f}",
            "{count:.0f} of {of:.0f}".format(**by_pairs.loc[pairs]),
            "{count:.0f} of {of:.0f}".format(**by_pairs.loc["neighbouring"]) if "neighbouring" in by_pairs.index else "",
            *(f"{found[size]:.0%}" if size in found else "" for size in injected["slowdown"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def show(text: str) -> None:
    """Puts the table where the page on comparing has its place."""
    page = ROOT / "docs" / "comparing.md"
    before, start, rest = page.read_text().partition("<!-- instrument -->\n")
    _, end, after = rest.partition("<!-- end of instrument -->")
    page.write_text(before + start + text + end + after)


def draw(table: pd.DataFrame, target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    shown = table[table["pairs"] != "neighbouring"]
    found = shown[shown["question"] == "slowdown found"]
    for (tool, rows), marker in zip(found.groupby("tool", sort=False), "osD^", strict=False):
        first = shown[(shown["tool"] == tool) & shown["question"].str.startswith("false alarm")].iloc[0]
        x, y = [0, *rows["injected"] * 100], [first["share"] * 100, *rows["share"] * 100]
        axes.plot(x, y, marker=marker, label=f"{str(tool).replace('_', '-')} ({first['share']:.1%} false alarms)")
    axes.axhline(95, color="grey", linewidth=0.8, linestyle=":")
    axes.axhline(1, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="injected slowdown of one step [%]", ylabel="comparisons that call it slower [%]", ylim=(-3, 103))
    axes.set_title("At 0: comparisons of identical code that call anything different", fontsize=10)
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(target, metadata={"Date": None})


def main(top: Path) -> None:
    ours = Stepbench(top)
    within = WithinRun(ours)
    injected = {name: within.injected(name) for name in SLOWED.values()}
    scaled = [row for slowdown in SLOWED for row in ours.scaled(slowdown)]
    table = pd.DataFrame([*rows(top, ours, injected), *side_by_side(within, injected), *scaled, *spreads(ours)])
    folder = ROOT / "results" / ours.stories[0].header["machine_name"]
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "instrument.csv", index=False)
    kept = ours.campaign.drop(columns=["replicated", "file", "reason"])
    kept.to_csv(folder / CAMPAIGN, index=False)
    draw(table, folder / "instrument.svg")
    show(told(table))
    print(table.drop(columns=["low", "high"]).to_string(index=False))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".campaign"))
