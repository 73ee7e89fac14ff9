"""Whether a step is right: float64 trajectories and the comparison with them. Nothing here runs a step or reads a clock."""
