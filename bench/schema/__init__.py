"""What every floor passes on, written down once: cases and their kinds, the journal's records, the summary's columns."""
