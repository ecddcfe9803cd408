"""Studies: many runs by one plan, and what follows from them, re-derived from their submission folders."""
