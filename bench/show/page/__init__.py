"""One HTML file that shows stored runs to someone who has nothing but a browser: no server, no network, no installation.

Nothing that a journal says may ever become markup or code, and the file must never fetch anything.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from bench.show.page import data

HERE = Path(__file__).parent
SCRIPTS = (
    "units.js", "tables.js", "code.js", "detail.js", "figures.js", "main.js", "rounds.js", "sweeps.js",
    "runs.js", "environment.js", "page.js",
)  # fmt: skip
"""In the order in which the page runs them, as one script."""


def build(files: Sequence[Path], results: Path) -> str:
    """The page of the runs whose journals these are, the last one shown first. Raises `UsageError` if one cannot be read."""
    return render(data.gather(files, results))


def render(content: dict[str, Any]) -> str:
    """The page that shows what `bench.show.page.data.gather` returns."""
    plotly, code, style = get_plotlyjs(), script(), (HERE / "page.css").read_text(encoding="utf-8")
    # Plotly also has a style element for maps, whole, and one that it fills rule by rule, which the hash of nothing allows
    styles = [style, "", *re.findall(r"createElement\(\"style\"\);[^']*?\.textContent='([^'\\]*)'", plotly)]
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("page.html.jinja").render(
        run=content["runs"][-1],
        plotly=base64.b64encode(gzip.compress(plotly.encode(), mtime=0)).decode(),
        script=Markup(code),
        style=Markup(style),
        data=Markup(as_script(content)),
        policy=f"default-src 'none'; script-src {_hashes(plotly, code)}; style-src {_hashes(*styles)}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'",
    )


def script() -> str:
    """The page's own JavaScript."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)


def as_script(content: Any) -> str:
    """JSON that cannot end the script element it stands in, whatever strings it holds."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)  # ASCII: U+2028 comes out escaped
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hashes(*texts: str) -> str:
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
