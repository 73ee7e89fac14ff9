"""Measures how often verdicts are wrong, on a calm and on a disturbed machine."""
