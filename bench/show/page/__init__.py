"""One HTML file that shows stored runs in a browser, without a server, a network or an installation.

No text of a journal becomes markup or code, and the file fetches nothing.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from bench.schema.case import CONTROLS
from bench.show import code_lines, folder, tables
from bench.show.grid import DIMENSIONS, common
from bench.show.page import data

HERE = Path(__file__).parent


def build(files: Sequence[Path], results: Path) -> str:
    """The page of the runs whose journals these are. Raises `UsageError` if one cannot be read."""
    plotly, script = get_plotlyjs(), (HERE / "page.js").read_text(encoding="utf-8")
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (plotly, script))
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    policy = f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:"
    loader = FileSystemLoader(HERE)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("page.html.jinja").render(
        data.gather(files, results) | {"folder": folder, "notes": tables.notes, "what": common, "columns": data.columns},
        dimensions=DIMENSIONS,
        controls=CONTROLS,
        blocks=blocks,
        plotly=base64.b64encode(gzip.compress(plotly.encode(), mtime=0)).decode(),
        script=Markup(script),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        dump=lambda value: json.dumps(value, separators=(",", ":"), allow_nan=False),
        policy=f"{policy}; base-uri 'none'; form-action 'none'",
    )


def blocks(source: str) -> dict[str, list[tuple[int, Markup]]]:
    """The lines of a step's code by phase: each with its number and highlighted."""
    lines = code_lines.code(source)
    html = highlight("\n".join(line.code for line in lines), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).split("\n")
    return {
        phase: found
        for phase in code_lines.PHASES
        if (found := [(line.line, Markup(text)) for line, text in zip(lines, html, strict=False) if line.phase == phase])
    }
