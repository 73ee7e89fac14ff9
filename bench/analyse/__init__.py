"""From rounds to judgements: pure functions of journals, which measure nothing and print nothing."""
