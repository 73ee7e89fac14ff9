"""What runs inside a worker process, `python -m bench.worker`, and nothing else: steps, their clock, their isolation."""
