"""Grades steps that somebody else wrote: a course's submissions, pull requests, generated kernels.

A graded step runs in a sandbox and is timed by the conductor's clock alone. The rest of the harness
does not know this package.
"""
