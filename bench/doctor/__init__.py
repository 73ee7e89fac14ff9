"""What makes a machine a bad instrument, and what to do about it; no check changes the machine."""
