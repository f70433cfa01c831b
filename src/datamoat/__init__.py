"""A small engine for open data that must be believed: fetch, land, build, audit, publish, export."""

__version__ = "2026.11.0"
