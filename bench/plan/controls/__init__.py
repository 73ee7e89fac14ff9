"""Fixed work that is timed beside the steps, so that runs can be compared relative to what the machine was like.

Neighbours on a shared machine press on different things: arithmetic, dispatch and memory traffic, and on a whole step in
proportions of its own. One file per thing, found and run like a backend. The work must never change, or old runs lose their
yardstick.
"""
