"""`python -m bench COMMAND`, which an installed stepbench is called as well."""

import sys

from bench.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
