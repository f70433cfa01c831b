"""How volume is associated with rank: statistics, specifications and verdicts."""
