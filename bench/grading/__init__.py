"""Grades steps that somebody else wrote, in a sandbox and by the conductor's clock alone; no lower layer knows it."""
