"""Commands that measure, here or on several machines."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.cli._arguments import command, minutes, number, parsed, settings, settings_environ, settings_options, slower, write
from bench.errors import ExitCode, UsageError
from bench.measure.catalogue import catalogue
from bench.plan.cases import Plan, make_plan
from bench.plan.revisions import against, between
from bench.plan.sides import Side, chosen
from bench.settings import Settings, names
from bench.show import grid


def add(parsers: Any) -> None:
    measured = command(parsers, "run", run)
    beside = "measure backends/ of a git revision, or those here under NAME=VALUE, beside those here"
    measured.add_argument("--against", metavar="REVISION", help=beside)
    measured.add_argument("--fail-on", type=slower, metavar="slower[:PERCENT%]", help="exit with 1 if a later side is SLOWER")
    measured.add_argument("--controls", action="store_true", help="show the controls' rows too")
    quickly = "3 passes of 3 blocks: wide intervals, in about 15 s for the first five ways"
    measured.add_argument("--quick", action="store_true", help=quickly)
    settings_options(measured)
    raced = command(parsers, "race", race)
    without = "without one BENCH_PYTHONS names the sides"
    raced.add_argument("base", nargs="?", metavar="BASE", help=f"a git revision or NAME=VALUE,...; {without}")
    raced.add_argument("head", nargs="?", metavar="HEAD", help="another; the files here by default")
    raced.add_argument("--minutes", type=minutes, default=15.0, help="no run is begun that would not end in time; 15")
    raced.add_argument("--runs", type=number(2), default=12, help="at most, for which the error is set aside beforehand; 12")
    raced.add_argument("--fail-on", type=slower, metavar="slower[:PERCENT%]", help="exit with 1 if HEAD is SLOWER")
    settings_options(raced)
    bisected = command(parsers, "bisect", bisect)
    bisected.add_argument("good", nargs="?", metavar="GOOD", help=f"a git revision where the way was fast; {without}")
    bisected.add_argument("bad", nargs="?", metavar="BAD", help="a later one where it is slow")
    bisected.add_argument("--way", required=True, help="the way that became slower")
    bisected.add_argument("--minutes", type=minutes, default=10.0, help="at most, of each step; 10")
    bisected.add_argument("--runs", type=number(2), default=12, help="at most, of each step; 12")
    settings_options(bisected)
    graded = command(parsers, "grade", grade)
    graded.add_argument("path", nargs="+", type=Path, help="a file with one backend, or a folder of such files")
    graded.add_argument("--format", choices=("text", "csv", "json", "gradescope"), default="text")
    graded.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the grades to a file as well")
    graded.add_argument("--against", metavar="BACKEND", help="what its time is compared with; BENCH_BASELINE by default")
    settings_options(graded)
    many = command(parsers, "fleet", fleet)
    how = many.add_mutually_exclusive_group(required=True)
    how.add_argument("--command", dest="template", metavar="TEMPLATE",
                     help="run this on every node, such as 'ssh {node} stepbench/.venv/bin/stepbench node'")  # fmt: skip
    how.add_argument("--ray", nargs="?", const="auto", metavar="ADDRESS",
                     help="run a task on every node of this Ray cluster, by default of the one found here")  # fmt: skip
    how.add_argument("--resume", nargs="?", const="", metavar="FLEET",
                     help="fetch or measure what a fleet lacks, by default the latest")  # fmt: skip
    how.add_argument("--show", type=Path, metavar="FOLDER", help="show a stored fleet's table")
    many.add_argument("--nodes", type=parsed(names), default=(), metavar="A,B,...",
                          help="nodes to measure, by default all of a Ray cluster")  # fmt: skip
    many.add_argument("--wait", type=minutes, default=10.0, metavar="MINUTES",
                          help="for a node that queues or measures for another fleet, by default 10")  # fmt: skip
    many.add_argument("--minutes", type=minutes, default=60.0, metavar="MINUTES",
                          help="limit of a node's run, by default 60")  # fmt: skip
    many.add_argument("--fail-on", type=slower, metavar="slower[:PERCENT%]",
                          help="exit with code 1 if a node is SLOWER, by at least PERCENT")  # fmt: skip
    settings_options(many)
    command(parsers, "node", node)


def run(arguments: argparse.Namespace) -> int:
    """Measures as `pytest --benchmark-only` does, without pytest's reports."""
    from bench.analyse.summaries import Run
    from bench.session import run_plan
    from bench.show import folder, sentences

    wanted, revision, fail_on = settings(arguments), arguments.against, arguments.fail_on
    if revision is None and fail_on is not None and not wanted.pythons:
        raise UsageError("--fail-on: needs two sides to compare; give --against REVISION, or BENCH_PYTHONS.")
    console = grid.console()
    with nullcontext(()) if revision is None else against(revision, wanted) as sides:
        plan = _plan(wanted, sides)
        codes = [ExitCode.WRONG for hole in plan.holes if hole.asked_for]

        def publish(measured: Run) -> None:
            folder.show(measured, console, arguments.controls)
            codes.append(measured.exit_code(fail_on))
            sentences.show_gate(fail_on, measured.later, console, measured.doubts)

        run_plan(plan, console, publish)
    return next(filter(None, codes), ExitCode.FINE)


def race(arguments: argparse.Namespace) -> int:
    """Measures two sides in short runs until each row is decided: FASTER, SLOWER or EQUAL, or the time is up."""
    from bench import racing

    wanted, base = settings(arguments), arguments.base
    if base is None and len(wanted.pythons) != 2:
        raise UsageError("race: needs two sides; give a git revision or NAME=VALUE, or two interpreters in BENCH_PYTHONS.")
    with nullcontext(()) if base is None else against(base, wanted, arguments.head) as sides:
        plan = _plan(wanted, sides)
        return racing.race(plan, arguments.runs, arguments.minutes, arguments.fail_on, grid.console())


def bisect(arguments: argparse.Namespace) -> int:
    """Finds the commit, or the interpreter of --pythons, since which a way is slower, and touches no checkout."""
    from bench import racing

    wanted = replace(settings(arguments), backends=(arguments.way,), baseline=arguments.way)
    if (arguments.bad is None) != bool(wanted.pythons):
        raise UsageError("bisect: needs GOOD and BAD, two git revisions, or else the interpreters of --pythons in order.")
    console, limits = grid.console(), (arguments.runs, arguments.minutes)
    if wanted.pythons:
        known = {side.label: side for side in chosen(wanted)}
        labels = dict.fromkeys(known, "")
        return racing.bisect(labels, lambda *pair: nullcontext([known[each] for each in pair]), wanted, *limits, console)
    subjects = between(arguments.good, arguments.bad, wanted)
    return racing.bisect(subjects, lambda base, head: against(base, wanted, head), wanted, *limits, console)


def _plan(wanted: Settings, sides: Sequence[Side]) -> Plan:
    """Raises `UsageError` if nothing can be measured."""
    plan = make_plan(wanted, *catalogue(wanted, tuple(sides)))
    if not plan.cases:
        raise UsageError("nothing to measure: " + "; ".join(f"{hole.case} {hole.reason}" for hole in plan.holes))
    return plan


def grade(arguments: argparse.Namespace) -> int:
    """Grades steps that somebody else wrote: proves and times each in a sandbox.

    Exits with 0 if all are right, 1 if one is wrong, 2 if one is unusable.
    """
    from bench.grading import grade as grading

    files, environ = grading.find(arguments.path), settings_environ(arguments)
    grades = grading.grade_all(files, arguments.against, environ, grid.console(sys.stderr))
    text = grading.FORMATS[arguments.format](grades)
    print(text, end="")
    if arguments.output:
        write(text, arguments.output)
    return grading.exit_code(grades)


def fleet(arguments: argparse.Namespace) -> int:
    """Measures the same run on many machines; shows which are slower than equal ones or missing."""
    from bench.analyse.verdicts import slower_by
    from bench.fleet import folder
    from bench.show import sentences

    place, least, console = arguments.show or _measure_nodes(arguments), arguments.fail_on, grid.console()
    judged, notes, wrong = folder.merge(place, settings(arguments).margin)
    folder.show(place, judged, notes, console)
    sentences.show_gate(least, judged, console, name="node")
    return ExitCode.WRONG if wrong or (least is not None and len(slower_by(judged, least))) else ExitCode.FINE


def _measure_nodes(arguments: argparse.Namespace) -> Path:
    """Begins a new fleet or goes on with a known one, until its nodes have answered or are late; returns its folder."""
    from bench.fleet import home

    wanted = settings(arguments)
    if arguments.resume is None:
        name, where = ("ray", arguments.ray) if arguments.template is None else ("command", arguments.template)
        engine = home.ENGINES[name](where, arguments.nodes)
        start = home.new(name, where, engine.nodes, wanted)
    else:
        start = home.recall(arguments.resume)
        engine = home.ENGINES[start.engine](start.where, start.nodes)
    print(f"{start.folder}: {len(start.nodes)} nodes", file=sys.stderr)
    home.run(start, engine, 60 * arguments.wait, 60 * arguments.minutes)
    return Path(start.folder)


def node(_: argparse.Namespace) -> int:
    """Measures what `fleet` requests on standard input and prints the run as a zip archive."""
    import signal

    from bench.fleet.node import Request, measure

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the run goes on if the connection breaks
    try:
        request = Request(**json.load(sys.stdin))
    except (ValueError, TypeError):
        raise UsageError("node: no request of this version on stdin; run `bench fleet`.") from None
    sys.stdout.buffer.write(measure(request))
    return ExitCode.FINE
