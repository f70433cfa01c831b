"""From an upstream response to raw tables: fetch, parse, validate, land."""
