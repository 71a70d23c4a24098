"""W10 and W11: whole potentials, each contender in a process and an interpreter of its own."""
