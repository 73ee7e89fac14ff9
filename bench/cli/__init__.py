"""The command line: parsing and exit codes, and calls into the floors below that do the work."""
