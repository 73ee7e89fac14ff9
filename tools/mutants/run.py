"""Breaks what times, judges and compares, one place at a time, and counts what the tests nearest to it see.

Most mutants are mutmut's (`[tool.mutmut]` in `pyproject.toml`); `by_hand.toml` has those which it does not make. A mutant that
survives has to stand in `accepted.toml` with its reason: exit code 1 otherwise. With names, such as `bench.worker.timing*`,
only these of mutmut's are tried again, and the others keep what an earlier run found.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COPY = ROOT / "mutants"
"""Where mutmut works: a copy of the sources in which each function can be exchanged for one of its mutants."""
MUTMUT = [str(Path(sys.executable).with_name("mutmut"))]
SEEN = {"killed": "killed", "segfault": "killed", "timeout": "timed out"}
"""What mutmut says of a mutant that its tests saw; one that never ends is seen by whoever waits for it."""


class Mutant(NamedTuple):
    module: str
    function: str
    """Of its module, `Class.method` for a method; empty for one made by hand."""
    old: str
    """The lines that it changes."""
    new: str
    found: str


def main() -> int:
    names = sys.argv[1:]
    if not names:
        shutil.rmtree(COPY, ignore_errors=True)  # results of an earlier run would stand, whatever became of the tests
    subprocess.run([*MUTMUT, "run", "--max-children", "1", *names], cwd=ROOT, check=True)
    mutants = [*_made(), *_by_hand(tomllib.loads((HERE / "by_hand.toml").read_text()))]
    accepted = tomllib.loads((HERE / "accepted.toml").read_text())["accepted"]
    counts: dict[str, Counter[str]] = {}
    needed: set[int] = set()
    survivors: list[Mutant] = []
    for mutant in mutants:
        found = mutant.found
        if found == "survived" and (reasons := {number for number, each in enumerate(accepted) if _is_meant(each, mutant)}):
            found, needed = "accepted", needed | reasons
        counts.setdefault(mutant.module, Counter()).update(["made", found])
        survivors += [mutant] if found == "survived" else []
    _table(counts)
    for number, each in enumerate(accepted):
        if number not in needed:
            print(f"no longer needed in accepted.toml: {each['where']}, {each['old']}")
    for mutant in survivors:
        print(f"SURVIVED in {mutant.module} {mutant.function}\n  - {mutant.old}\n  + {mutant.new}")
    return 1 if survivors else 0


def _made() -> list[Mutant]:
    """What mutmut made of each function, as its own commands tell."""
    lines = _output("results", "--all", "true").splitlines()
    return [_told(*line.strip().rsplit(": ", 1)) for line in lines]


def _told(name: str, status: str) -> Mutant:
    """From `bench.worker.timing.x_throughput__mutmut_3`; a method's has its class between two `ǁ`."""
    module, _, mangled = name.rpartition(".")
    function = mangled.partition("__mutmut_")[0].removeprefix("x").removeprefix("_").strip("ǁ").replace("ǁ", ".")
    if status in SEEN:
        return Mutant(module, function, "", "", SEEN[status])
    changes = [line for line in _output("show", name).splitlines() if re.match(r"[-+](?![-+]{2} )", line)]
    old, new = (" ".join(line[1:].strip() for line in changes if line[0] == sign) for sign in "-+")
    return Mutant(module, function, old, new, "survived")


def _output(*arguments: str) -> str:
    return subprocess.run([*MUTMUT, *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _by_hand(modules: dict[str, dict[str, Any]]) -> list[Mutant]:
    """Each text is exchanged in mutmut's copy, where the sources stand unbroken while no mutant is chosen."""
    mutants = []
    for path, module in modules.items():
        source, place = (ROOT / path).read_text(), COPY / path
        kept = place.read_text()
        for old, new in module["changes"]:
            if source.count(old) != 1:
                raise SystemExit(f"by_hand.toml: {path} has {old!r} {source.count(old)} times, expected once.")
            place.write_text(source.replace(old, new))
            tests = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *module["tests"]]
            done = subprocess.run(tests, cwd=COPY, capture_output=True, text=True, timeout=120)
            if done.returncode > 1:
                raise SystemExit(f"by_hand.toml: {path} with {new!r} ends its tests:\n{done.stdout}{done.stderr}")
            found = "killed" if done.returncode else "survived"
            mutants.append(Mutant(path.removesuffix(".py").replace("/", "."), "", old, new, found))
        place.write_text(kept)
    return mutants


def _is_meant(accepted: dict[str, Any], mutant: Mutant) -> bool:
    """Whether an entry of `accepted.toml` names the function, and the mutant is one of its changes at one place."""
    if not fnmatchcase(f"{mutant.module}.{mutant.function}", accepted["where"]):
        return False
    before, old = mutant.old, re.escape(accepted["old"])
    ends = [(before[: match.start()], before[match.end() :]) for match in re.finditer(old, before)]
    return any(mutant.new == head + new + tail for head, tail in ends for new in accepted["new"])


def _table(counts: dict[str, Counter[str]]) -> None:
    columns = ("made", "killed", "timed out", "accepted", "survived")
    print(f"\n{'module':32}" + "".join(f"{name:>10}" for name in columns))
    for module, count in [*sorted(counts.items()), ("all", sum(counts.values(), Counter()))]:
        print(f"{module:32}" + "".join(f"{count[name]:>10}" for name in columns))


if __name__ == "__main__":
    sys.exit(main())
