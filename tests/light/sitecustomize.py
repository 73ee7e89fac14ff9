"""Python without the libraries that take seconds to load: first on the path of tests that are about none of them."""

import sys

for library in ("torch", "jax", "numba", "cupy", "triton"):
    sys.modules[library] = None
