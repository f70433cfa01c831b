"""Results with other inputs: which tables depend on them, rebuilt or recomputed from draws."""
