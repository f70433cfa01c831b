"""The gate and the swap: audit, the published file, and what changed in it."""
