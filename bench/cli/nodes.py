"""Commands that measure on several machines."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.cli._arguments import command, minutes, parsed, settings, settings_options, slower
from bench.errors import ExitCode, UsageError
from bench.settings import names


def add(parsers: Any) -> None:
    measured = command(parsers, "fleet", fleet)
    how = measured.add_mutually_exclusive_group(required=True)
    how.add_argument("--command", dest="template", metavar="TEMPLATE",
                     help="run this on every node, such as 'ssh {node} stepbench/.venv/bin/stepbench node'")  # fmt: skip
    how.add_argument("--ray", nargs="?", const="auto", metavar="ADDRESS",
                     help="run a task on every node of this Ray cluster, by default of the one found here")  # fmt: skip
    how.add_argument("--resume", nargs="?", const="", metavar="FLEET",
                     help="fetch or measure what a fleet lacks, by default the latest")  # fmt: skip
    how.add_argument("--show", type=Path, metavar="FOLDER", help="show a stored fleet's table")
    measured.add_argument("--nodes", type=parsed(names), default=(), metavar="A,B,...",
                          help="nodes to measure, by default all of a Ray cluster")  # fmt: skip
    measured.add_argument("--wait", type=minutes, default=10.0, metavar="MINUTES",
                          help="for a node that queues or measures for another fleet, by default 10")  # fmt: skip
    measured.add_argument("--minutes", type=minutes, default=60.0, metavar="MINUTES",
                          help="limit of a node's run, by default 60")  # fmt: skip
    measured.add_argument("--fail-on", type=slower, metavar="slower[:PERCENT%]",
                          help="exit with code 1 if a node is SLOWER, by at least PERCENT")  # fmt: skip
    settings_options(measured)
    command(parsers, "node", node)


def fleet(arguments: argparse.Namespace) -> int:
    """Measures the same run on many machines; shows which are slower than equal ones or missing."""
    from bench.analyse.verdicts import slower_by
    from bench.fleet import folder
    from bench.show import grid, sentences

    place, least, console = arguments.show or _measure(arguments), arguments.fail_on, grid.console()
    judged, notes, wrong = folder.merge(place, settings(arguments).margin)
    folder.show(place, judged, notes, console)
    sentences.show_gate(least, judged, console, name="node")
    return ExitCode.WRONG if wrong or (least is not None and len(slower_by(judged, least))) else ExitCode.FINE


def _measure(arguments: argparse.Namespace) -> Path:
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
