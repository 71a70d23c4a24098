"""Physics: systems, units, neighbours, energies, data sets, potentials, calculators."""
