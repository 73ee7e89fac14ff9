"""What the machine is and what it is doing. Nothing here changes it."""
