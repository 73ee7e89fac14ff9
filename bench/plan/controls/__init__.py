"""Fixed work that is timed with the steps: unchanged since the first runs, so that runs can be compared by it."""
