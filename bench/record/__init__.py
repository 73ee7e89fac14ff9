"""What was measured, as it lies on disk: the journal, and its rounds as a table."""
