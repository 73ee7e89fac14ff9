"""Commands that measure on several machines."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli._arguments import Parsers, command, margin, minutes, parsed, seconds, slower
from bench.errors import ExitCode, missing
from bench.settings import Settings, names

if TYPE_CHECKING:
    from bench.fleet.home import Fleet


def add(parsers: Parsers) -> None:
    from bench.fleet.launchers import engines

    measured = command(parsers, "fleet", fleet)
    how = measured.add_mutually_exclusive_group(required=True)
    for name, engine in engines().items():
        how.add_argument(
            f"--{name}",
            dest=f"by_{name}",
            nargs=None if engine.default is None else "?",
            const=engine.default,
            metavar=engine.metavar,
            help=engine.help,
        )
    how.add_argument("--resume", nargs="?", const="", metavar="FLEET", help="measure what is missing of a fleet; the latest")
    how.add_argument("--show", type=Path, metavar="FOLDER", help="only the table of a fleet's folder")
    measured.add_argument("--nodes", type=parsed(names), default=(), metavar="A,B,...", help="all that the launcher knows")
    measured.add_argument("--wait", type=minutes, default=10.0, metavar="MINUTES", help="until a node begins; 10")
    measured.add_argument("--minutes", type=minutes, default=60.0, metavar="MINUTES", help="that a run may take on a node; 60")
    measured.add_argument(
        "--silence", type=seconds, default=90.0, metavar="SECONDS", help="without a sign of life, after which a node hangs; 90"
    )
    measured.add_argument("--margin", type=margin, default="1%", metavar="PERCENT%", help="what counts as equal: 1%%")
    measured.add_argument("--fail-on", type=slower, metavar="slower[:PERCENT%]", help="exit with 1 if a node is SLOWER")
    asked = command(parsers, "node", node)
    asked.add_argument("--keep", type=Path, metavar="FOLDER", help="where this node keeps its runs; ~/.cache/stepbench")


def fleet(arguments: argparse.Namespace) -> int:
    """Measures the same run on every node of a cluster, and says which are slower than their equals, or missing."""
    from bench.fleet import merged
    from bench.show import fleet_tables, grid

    place = arguments.show
    if place is None:
        running = _fleet(arguments)
        place = running.folder
        print(f"fleet {running.asked.fleet}: {len(running.ids)} nodes", file=sys.stderr)
        try:
            running.measure()
        except KeyboardInterrupt:
            print("stopped; what is at home:", file=sys.stderr)
    found = merged.merge(place, arguments.margin)
    console = grid.console()
    fleet_tables.terminal(found.rows, found.judged, found.missing, found.doubts, found.notes, console)
    for path in merged.write(found):
        console.print(f"written: {path}", style="dim")
    return found.outcome(arguments.fail_on)


def node(arguments: argparse.Namespace) -> int:
    """Measures what a fleet asks for on standard input, and hands the run over on standard output; `fleet` calls it."""
    from bench.conversation import take_streams as streams
    from bench.fleet import node as asked

    requests, replies = streams()
    # raw, since a thread still waits for more of it when this process ends, and must hold no lock then
    asked.serve(requests.buffer.raw, replies.buffer, arguments.keep or asked.keep())  # type: ignore[attr-defined]
    return ExitCode.FINE


def _fleet(arguments: argparse.Namespace) -> Fleet:
    """A fleet that is new, or known from before. Raises `UsageError`."""
    from bench.fleet import home, private
    from bench.fleet.asking import Patience
    from bench.fleet.launchers import engines

    settings = Settings.from_env()
    if not find_spec("pandera"):
        raise missing("pandera", "fleet", extra="compare")
    if arguments.resume is not None:
        asked = private.recall(arguments.resume or private.latest())
        launcher = engines()[asked.launcher].launcher(asked.where, asked.nodes)
    else:
        name, where = next((name, given) for name in engines() if (given := getattr(arguments, f"by_{name}")) is not None)
        asked, launcher = home.new(engines()[name], where, arguments.nodes, settings)
    patience = Patience(60 * arguments.wait, 60 * arguments.minutes, arguments.silence)
    return home.Fleet(asked, launcher, patience, lambda text: print(text, file=sys.stderr, flush=True))
