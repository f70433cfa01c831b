"""The science: pure functions on arrays and frames; no file, clock, network or global random state."""
