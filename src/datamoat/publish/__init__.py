"""Audit, the published file and its replacement, and what changed in it."""
