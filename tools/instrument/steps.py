"""The steps that all tools of the campaign measure: the five that `make bench` measures, and the slowed ones."""

from pathlib import Path

from bench.paths import BACKENDS
from bench.plan import discovery

SLOWED = Path(__file__).parent / "slowed"
PATHS = discovery.find([BACKENDS, SLOWED])
SEED = [name for name, path in PATHS.items() if 'kind = "seed"' in path.read_text()]
