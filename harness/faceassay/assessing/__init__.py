"""Own the assessment of a matrix's synthetic sets: its stages, and the numbers that they add up to."""
