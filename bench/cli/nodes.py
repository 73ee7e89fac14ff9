"""Commands that measure on several machines."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli._arguments import command, minutes, parsed, settings, settings_options, slower
from bench.errors import ExitCode, UsageError
from bench.settings import names

if TYPE_CHECKING:
    from bench.fleet.home import Engine, Start


def add(parsers: Any) -> None:
    measured = command(parsers, "fleet", fleet)
    how = measured.add_mutually_exclusive_group(required=True)
    how.add_argument("--command", dest="engine_command", metavar="TEMPLATE",
                     help="run this on every node, such as 'ssh {node} stepbench/.venv/bin/stepbench node'")  # fmt: skip
    how.add_argument("--ray", dest="engine_ray", nargs="?", const="auto", metavar="ADDRESS",
                     help="run a task on every node of this Ray cluster, by default of the one found here")  # fmt: skip
    how.add_argument("--slurm", dest="engine_slurm", nargs="?", const="", metavar="PARTITION",
                     help="run a SLURM job on every node of this partition, by default of the default one")  # fmt: skip
    how.add_argument("--resume", nargs="?", const="", metavar="FLEET",
                     help="fetch or measure what a fleet lacks, by default the latest")  # fmt: skip
    how.add_argument("--show", type=Path, metavar="FOLDER", help="show a stored fleet's tables")
    measured.add_argument("--nodes", type=parsed(names), default=(), metavar="A,B,...",
                          help="nodes to measure, by default all that the engine lists")  # fmt: skip
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
    from bench.fleet import folder, home
    from bench.show import fleet_tables, grid, sentences

    place = arguments.show
    if place is None:
        start, engine = _start(arguments)
        place = Path(start.folder)
        print(f"fleet {start.fleet}: {len(start.nodes)} nodes", file=sys.stderr)
        try:
            wait, seconds = 60 * arguments.wait, 60 * arguments.minutes
            home.run(start, engine, wait, seconds, lambda text: print(text, file=sys.stderr))
        except KeyboardInterrupt:
            print("stopped; these runs are at home:", file=sys.stderr)
    found = folder.merge(place, settings(arguments).margin)
    console = grid.console()
    fleet_tables.terminal(found.rows, found.judged, found.notes, console)
    for name, text in fleet_tables.files(found.rows, found.judged, found.notes).items():
        with folder.writing(place / name) as path:
            path.write_text(text, encoding="utf-8")
        console.print(f"written: {path}", style="dim")
    sentences.show_gate(arguments.fail_on, found.judged, console, name="node")
    return found.outcome(arguments.fail_on)


def node(_: argparse.Namespace) -> int:
    """Measures what `fleet` requests on standard input and prints the run as a zip archive."""
    import signal

    from bench.fleet.node import Request, measure

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the run goes on if the connection breaks
    try:
        given = json.load(sys.stdin)
        request: Request = {name: given[name] for name in Request.__annotations__}  # type: ignore
    except (ValueError, TypeError, KeyError):
        raise UsageError("node: no request of this version on stdin; run `bench fleet`.") from None
    sys.stdout.buffer.write(measure(request))
    return ExitCode.FINE


def _start(arguments: argparse.Namespace) -> tuple[Start, Engine]:
    """A new fleet or a known one, and its engine. Raises `UsageError`."""
    from bench.fleet import home
    from bench.fleet.engines import ENGINES

    wanted = settings(arguments)
    if arguments.resume is not None:
        start = home.recall(arguments.resume)
        return start, ENGINES[start.engine](start.where, start.nodes)
    given = {name: getattr(arguments, f"engine_{name}") for name in ENGINES}
    name, where = next((name, where) for name, where in given.items() if where is not None)
    engine = ENGINES[name](where, arguments.nodes)
    return home.new(name, where, engine, wanted), engine
